import { roundToHalf } from "@espalier/core";
import type { RowGrid } from "./encode-row.ts";
import { nearest } from "./nearest.ts";
import { extremeScale, type SymmetricRange } from "./symmetric.ts";

/** The blocks of one row: where their scales are written, and in which type they will be stored. */
export interface RowScales {
  readonly scales: Float32Array;
  readonly half: boolean;
  /** Extremes as `rowExtremes` gives them. */
  readonly ends: Float32Array;
}

/**
 * Symmetric scales of a row by the extremes of its blocks, see `extremeScale`; 1 for a block of zeros, NaN for one that
 * is not finite. Written to `scales` from `at` on, and for `encodeRow` to `grid`.
 */
export const symmetricRow = ({ scales, half, ends }: RowScales, at: number, range: SymmetricRange, grid: RowGrid) => {
  const { inverses } = grid;
  for (let block = 0; block < inverses.length; block++) {
    const exact = extremeScale(-ends[2 * block]!, ends[2 * block + 1]!, range);
    const scale = half ? roundToHalf(exact) : Math.fround(exact);
    const usable = scale !== 0 ? scale : 1;
    // both ends: an extreme that is NaN loses every comparison
    const finite = Number.isFinite(ends[2 * block]! + ends[2 * block + 1]!);
    scales[at + block] = finite ? usable : Number.NaN;
    inverses[block] = 1 / usable;
  }
};

/** The same for affine grids with whole zero points, see `affineOf`. */
export const affineRow = ({ scales, half, ends }: RowScales, at: number, zeroPoints: Uint8Array, grid: RowGrid) => {
  const { inverses, zeros, highest } = grid;
  for (let block = 0; block < inverses.length; block++) {
    const below = ends[2 * block]!;
    const exact = (ends[2 * block + 1]! + below) / highest;
    const rounded = half ? roundToHalf(exact) : Math.fround(exact);
    const scale = rounded !== 0 ? rounded : 1;
    const zero = Math.min(highest, nearest(below / scale));
    scales[at + block] = Number.isFinite(scale) ? scale : Number.NaN;
    zeroPoints[at + block] = zero;
    zeros[block] = zero;
    inverses[block] = 1 / scale;
  }
};
