import { type Matrix, matrix } from "@espalier/core/linalg";
import { type Grid, middleOf } from "../grid/grid.ts";

/** ŵ - w of every weight, in doubles: [rows, columns]. */
export const rowErrors = (w: ArrayLike<number>, grid: Grid): Matrix => {
  const { bits, rows, columns, blockSize, blocks, codes, scales, zeroPoints } = grid;
  const d = matrix(rows, columns);
  for (let i = 0; i < d.data.length; i++) {
    const at = Math.floor(i / columns) * blocks + Math.floor((i % columns) / blockSize);
    d.data[i] = (codes[i]! - (zeroPoints ? zeroPoints[at]! : middleOf(bits))) * scales[at]! - w[i]!;
  }
  return d;
};

/** Rows of one grid, and those of another in their place where these lose less; both grids alike in shape. */
export const keepBetter = (grid: Grid, losses: Float64Array, other: Grid, otherLosses: Float64Array): Grid => {
  const [codes, scales, zeroPoints] = [grid.codes.slice(), grid.scales.slice(), grid.zeroPoints?.slice()];
  for (let row = 0; row < grid.rows; row++) {
    if (losses[row]! <= otherLosses[row]!) continue;
    const [from, to] = [row * grid.columns, (row + 1) * grid.columns];
    codes.set(other.codes.subarray(from, to), from);
    const [first, last] = [row * grid.blocks, (row + 1) * grid.blocks];
    scales.set(other.scales.subarray(first, last), first);
    zeroPoints?.set(other.zeroPoints!.subarray(first, last), first);
  }
  const { packed: _, ...rest } = grid;
  return { ...rest, codes, scales, zeroPoints };
};
