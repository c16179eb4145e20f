import { nearest } from "./nearest.ts";

/** Scale and zero point of a block. One object serves all blocks, so that millions of them make no garbage. */
export interface Affine {
  scale: number;
  zero: number;
}

const put = (out: Affine, scale: number, zero: number): Affine => {
  out.scale = scale;
  out.zero = zero;
  return out;
};

/**
 * Affine grid of a range, with 0 on a code:
 *
 *     lo = min(0, lo)   hi = max(0, hi)   scale = (hi - lo) / highest   zero = clamp(round(-lo / scale), 0, highest)
 *
 * `scale` is rounded to its storage type before the zero point is taken. Where hi = lo: scale 1, zero 0.
 * Guarantee: |w - ŵ| <= scale / 2 for w inside [scale * -zero, scale * (highest - zero)].
 */
export const affineOf = (
  out: Affine,
  lo: number,
  hi: number,
  highest: number,
  round: (scale: number) => number,
): Affine => {
  const low = Math.min(0, lo);
  const high = Math.max(0, hi);
  const scale = round((high - low) / highest);
  if (!(scale > 0)) return put(out, 1, 0);
  return put(out, scale, Math.min(highest, Math.max(0, nearest(-low / scale))));
};

/** Affine grid of a range with a float zero point, so that lo falls on code 0: zero = -lo / scale. */
export const looseAffineOf = (
  out: Affine,
  lo: number,
  hi: number,
  highest: number,
  round: (scale: number) => number,
): Affine => {
  const scale = round((hi - lo) / highest);
  if (scale > 0) return put(out, scale, Math.fround(-lo / scale));
  return lo === 0 ? put(out, 1, 0) : put(out, round(Math.abs(lo)), lo > 0 ? -1 : 1);
};

const squaredError = (w: Float32Array, start: number, end: number, highest: number, { scale, zero }: Affine) => {
  const inverse = 1 / scale;
  let sum = 0;
  for (let i = start; i < end; i++) {
    const exact = w[i]! * inverse + zero;
    let q = nearest(exact);
    if (q < 0) q = 0;
    else if (q > highest) q = highest;
    sum += (exact - q) * (exact - q);
  }
  return sum * scale * scale;
};

/** Parts of the range that the search keeps; the whole is tried first and wins ties. Source: SPEC Q-10. */
const RATIOS = [1, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5];
/** The search ends when so many parts in turn were worse than the best. */
const PATIENCE = 2;

/** The affine grid of [c lo, c hi], c from 1 down to 0.5, with the least squared error on w[start .. end]. */
export const fittedAffine = (
  w: Float32Array,
  start: number,
  end: number,
  highest: number,
  gridOf: (ratio: number) => Affine,
): Affine => {
  let best = 1;
  let least = Number.POSITIVE_INFINITY;
  let worse = 0;
  for (const ratio of RATIOS) {
    const error = squaredError(w, start, end, highest, gridOf(ratio));
    if (error < least) {
      least = error;
      best = ratio;
      worse = 0;
    } else if (++worse === PATIENCE) break;
  }
  return gridOf(best);
};
