import { roundToHalf } from "@espalier/core";
import type { Affine } from "./affine.ts";
import { nearest } from "./nearest.ts";
import type { SearchOptions } from "./searched-scales.ts";

/** Parts of the extreme's scale that are tried; above 1 the extreme lies within the grid. */
const RATIOS = [1.08, 1, 0.94, 0.88, 0.82, 0.76, 0.7, 0.64, 0.58, 0.5];
/** How often codes and scale are fitted to each other in turn after the search. */
const ROUNDS = 2;

/** A fit of a block by codes a: the scale and what it explains of Σ h w². */
interface Fit {
  scale: number;
  explained: number;
}

/** Scale Σ h w a / Σ h a² of the codes a = clamp(round(w / t) + zero, 0, highest) - zero, which t chooses. */
const fitAt = (
  out: Fit,
  w: Float32Array,
  start: number,
  end: number,
  h: ArrayLike<number>,
  trial: number,
  least: number,
  most: number,
): Fit => {
  const inverse = 1 / trial;
  let wa = 0;
  let aa = 0;
  for (let i = start, k = 0; i < end; i++, k++) {
    const value = w[i]!;
    let a = nearest(value * inverse);
    if (a < least) a = least;
    else if (a > most) a = most;
    const weighed = h[k]! * a;
    wa += weighed * value;
    aa += weighed * a;
  }
  out.scale = aa > 0 ? wa / aa : trial;
  out.explained = aa > 0 ? (wa * wa) / aa : 0;
  return out;
};

/**
 * Scale, and whole zero point, of a block w[start .. end] with a small squared error, each weight's times its importance:
 *
 *     Σ h (w - ŵ)²      h = the mean square of the input that the weight meets
 *
 * For each trial scale and zero point the codes are fixed and the scale that fits them best is taken; the trial that
 * explains most is kept, and codes and scale fitted twice more. Source: arXiv:1603.05279, eq. 6, weighted; the choice of h
 * is that of AWQ (arXiv:2306.00978, section 3) and of llama.cpp's importance matrix.
 */
export const weightedScales = ({ half, highest, signed }: Omit<SearchOptions, "clip" | "whole">) => {
  const round = half ? roundToHalf : Math.fround;
  const affine: Affine = { scale: 1, zero: 0 };
  const fit: Fit = { scale: 1, explained: 0 };
  const best: Fit = { scale: 1, explained: 0 };

  const search = (
    w: Float32Array,
    start: number,
    end: number,
    h: ArrayLike<number>,
    trial: number,
    least: number,
    most: number,
  ): boolean => {
    fitAt(fit, w, start, end, h, trial, least, most);
    if (!(fit.explained > best.explained)) return false;
    best.explained = fit.explained;
    best.scale = fit.scale;
    return true;
  };
  const settle = (
    w: Float32Array,
    start: number,
    end: number,
    h: ArrayLike<number>,
    least: number,
    most: number,
  ): number => {
    for (let i = 0; i < ROUNDS; i++) if (!search(w, start, end, h, best.scale, least, most)) break;
    return round(best.scale);
  };

  return {
    /** @param h importance of each weight of the block */
    symmetric(w: Float32Array, start: number, end: number, h: ArrayLike<number>): number {
      let extreme = 0;
      for (let i = start; i < end; i++) if (Math.abs(w[i]!) > Math.abs(extreme)) extreme = w[i]!;
      best.scale = extreme / signed.lowest || 1;
      best.explained = 0;
      if (extreme === 0) return 1;
      const full = Math.abs(extreme / signed.lowest);
      const signs = signed.lowest === -signed.highest ? [1] : [1, -1];
      for (const ratio of RATIOS)
        for (const sign of signs) search(w, start, end, h, sign * ratio * full, signed.lowest, signed.highest);
      return settle(w, start, end, h, signed.lowest, signed.highest) || 1;
    },
    affine(w: Float32Array, start: number, end: number, h: ArrayLike<number>): Affine {
      let [lo, hi] = [0, 0];
      for (let i = start; i < end; i++) {
        lo = Math.min(lo, w[i]!);
        hi = Math.max(hi, w[i]!);
      }
      affine.scale = 1;
      affine.zero = 0;
      if (hi === lo) return affine;
      best.explained = 0;
      best.scale = (hi - lo) / highest;
      const middle = (lo + hi) / 2;
      let zero = Math.min(highest, Math.max(0, nearest(-lo / best.scale)));
      for (const ratio of RATIOS) {
        const trial = ((hi - lo) / highest) * ratio;
        const centre = nearest(highest / 2 - middle / trial);
        for (let z = Math.max(0, centre - 1); z <= Math.min(highest, centre + 1); z++)
          if (search(w, start, end, h, trial, -z, highest - z)) zero = z;
      }
      affine.zero = zero;
      affine.scale = settle(w, start, end, h, -zero, highest - zero) || 1;
      return affine;
    },
  };
};
