import type { PassKernels } from "../pass-kernels.ts";
import { linearAlgebra } from "./linear-algebra.ts";
import { type Matrix, matrix } from "./matrix.ts";

export interface SweepOptions {
  /** Columns after which what is left of a row is updated, by a product. */
  readonly blockSize?: number;
  /** Called when the columns from .. to are about to be stored, all rows updated by what came before. */
  begin?(from: number, to: number): void;
  /** What a weight is stored as; its row is updated by the columns before it, within the block that holds it. */
  store(value: number, row: number, column: number): number;
  readonly kernels?: PassKernels | undefined;
}

/** Columns in a block. Source: arXiv:2210.17323, section 3.3. */
export const SWEEP_BLOCK = 128;

/**
 * Stores a weight column by column, in place; what each one adds to the output error, the columns behind it make up for.
 *
 *     e = (w_j - stored_j) / U_jj      w_k <- w_k - e U_jk, k > j
 *
 * @param w [rows, columns]
 * @param U [columns, columns], upper: UᵀU = H⁻¹
 * @returns [rows], Σ e² of each: the error (w - ŵ) H (w - ŵ)ᵀ that is left. Source: arXiv:2210.17323, algorithm 1.
 */
export const compensatingSweep = (
  w: Float64Array,
  columns: number,
  U: Matrix,
  { blockSize = SWEEP_BLOCK, begin, store, kernels }: SweepOptions,
): Float64Array => {
  const { matmul } = linearAlgebra(kernels);
  const rows = w.length / columns;
  const losses = new Float64Array(rows);
  for (let from = 0; from < columns; from += blockSize) {
    const to = Math.min(from + blockSize, columns);
    const width = to - from;
    begin?.(from, to);
    const errors = matrix(rows, width);
    for (let r = 0; r < rows; r++) {
      let loss = 0;
      for (let j = from; j < to; j++) {
        const at = r * columns + j;
        const stored = store(w[at], r, j);
        const error = (w[at] - stored) / U.data[j * columns + j];
        w[at] = stored;
        if (error === 0) continue;
        loss += error * error;
        errors.data[r * width + j - from] = error;
        for (let k = j + 1, u = j * columns + k, next = at + 1; k < to; k++, u++, next++) w[next] -= error * U.data[u];
      }
      losses[r] += loss;
    }
    if (to === columns) continue;
    // [rows, width] x [width, rest] -> [rows, rest]
    const rest = columns - to;
    const ahead = matrix(width, rest);
    for (let j = 0; j < width; j++)
      ahead.data.set(U.data.subarray((from + j) * columns + to, (from + j + 1) * columns), j * rest);
    const update = matmul(errors, ahead).data;
    for (let r = 0, at = 0; r < rows; r++) for (let k = to; k < columns; k++, at++) w[r * columns + k] -= update[at];
  }
  return losses;
};
