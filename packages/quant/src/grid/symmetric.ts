import { nearest } from "./nearest.ts";

/** Codes of a symmetric grid, relative to zero. */
export interface SymmetricRange {
  readonly lowest: number;
  readonly highest: number;
}

/**
 * Scale of a block by its extreme m, the value of largest magnitude:
 *
 *     full (lowest = -highest - 1):  scale = m / lowest     m falls on the lowest code; the scale may be negative
 *     narrow (lowest = -highest):    scale = |m| / highest
 *
 * 0 for a block of zeros.
 */
export const extremeScale = (least: number, most: number, { lowest, highest }: SymmetricRange): number => {
  if (lowest === -highest) return Math.max(most, -least) / highest;
  return (most > -least ? most : least) / lowest || 0;
};

/** Ratios of the extreme that the search tries to put on the end of the grid. */
const RATIOS = [1, 0.94, 0.88, 0.82, 0.74];

/**
 * Scale with a small squared error of the block. For each trial scale t the codes are fixed and the scale that fits
 * them best is taken; the trial that explains most of w is kept:
 *
 *     q = clamp(round(w / t))      scale = Σ w q / Σ q²      error = Σ w² - (Σ w q)² / Σ q²
 *
 * Trials are the extreme's scale times ratios from 1 to 0.74, of both signs on the full range.
 * Guarantee: the squared error is at most that of `start scale`, up to the rounding of the scale. Source: SPEC Q-10,
 * with the least squares step of arXiv:1603.05279, eq. 6.
 */
export const fittedScale = (
  w: Float32Array,
  start: number,
  end: number,
  { lowest, highest }: SymmetricRange,
  extreme: number,
): number => {
  if (extreme === 0) return 0;
  let best = 0;
  let scale = extreme;
  const signs = lowest === -highest ? 1 : 2;
  for (let sign = 0; sign < signs; sign++)
    for (const ratio of RATIOS) {
      const inverse = (sign === 0 ? 1 : -1) / (extreme * ratio);
      let wq = 0;
      let qq = 0;
      for (let i = start; i < end; i++) {
        const value = w[i]!;
        let q = nearest(value * inverse);
        if (q < lowest) q = lowest;
        else if (q > highest) q = highest;
        wq += value * q;
        qq += q * q;
      }
      const explained = qq > 0 ? (wq * wq) / qq : 0;
      if (explained > best) {
        best = explained;
        scale = wq / qq;
      }
    }
  return scale;
};
