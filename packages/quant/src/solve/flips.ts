import type { Matrix } from "@espalier/core/linalg";
import type { Grid } from "../grid/grid.ts";

/** First and last code of a grid. */
export interface CodeRange {
  readonly lowest: number;
  readonly highest: number;
}

/** Rounds over the columns, at most: nearly all rows need fewer than five. */
const SWEEPS = 20;

/**
 * Moves codes of one row between the two neighbours of each weight while that lowers the loss of the output:
 *
 *     flip j where 2 δ (H d)_j + δ² H_jj < 0      δ the change of ŵ_j, d = ŵ - w
 *
 * It ends where no single flip helps: a local optimum of AdaRound's binary problem. Source: arXiv:2004.10568, eq. 13.
 *
 * @param floors [columns], the lower code of each weight of the row
 * @param d      [columns], ŵ - w, changed with the codes
 */
export const flipRow = (
  { columns, blockSize, blocks, codes, scales }: Grid,
  row: number,
  floors: ArrayLike<number>,
  { lowest, highest }: CodeRange,
  d: Float64Array,
  gram: Matrix,
) => {
  const g = new Float64Array(columns);
  for (let i = 0; i < columns; i++)
    if (d[i] !== 0) for (let j = 0; j < columns; j++) g[j]! += d[i]! * gram.data[i * columns + j]!;
  for (let sweep = 0, flipped = true; flipped && sweep < SWEEPS; sweep++) {
    flipped = false;
    for (let j = 0; j < columns; j++) {
      const at = row * columns + j;
      const other = codes[at] === floors[j] ? floors[j]! + 1 : floors[j]!;
      if (other < lowest || other > highest) continue;
      const delta = (other - codes[at]!) * scales[row * blocks + Math.floor(j / blockSize)]!;
      if (!(2 * delta * g[j]! + delta * delta * gram.data[j * columns + j]! < 0)) continue;
      codes[at] = other;
      d[j]! += delta;
      for (let k = 0, from = j * columns; k < columns; k++, from++) g[k]! += delta * gram.data[from]!;
      flipped = true;
    }
  }
};
