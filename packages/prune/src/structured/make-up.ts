import { type LinearAlgebra, linearAlgebra, type Matrix, matrix } from "@espalier/core/linalg";

export interface MadeUp {
  /** [rows, columns], 0 in the columns that go. */
  readonly w: Float32Array;
  /** [rows], what is to be added to the output: what the mean of the lost columns gave. */
  readonly shift: Float64Array;
}

/**
 * The weights of the columns that stay, and a shift of the output, that come nearest to the output with all columns:
 * least squares over the data, with a ridge of `damp` times the mean of the diagonal towards the weights as they are.
 *
 *     W'_K = W_K + W_R H_RK (H_KK + λI)⁻¹      shift = W μ - W'_K μ_K
 *
 * @param w    [rows, columns]
 * @param gram [columns, columns], XᵀX / n about the mean
 * @param mean [columns]
 */
export const makeUp = (
  w: Float32Array,
  rows: number,
  gram: Matrix,
  mean: Float64Array,
  gone: ReadonlySet<number>,
  damp: number,
  { dampedCholesky, solveCholesky, matmul }: LinearAlgebra = linearAlgebra(),
): MadeUp => {
  const columns = gram.columns;
  const kept = Array.from({ length: columns }, (_, c) => c).filter((c) => !gone.has(c));
  const lost = [...gone].sort((a, b) => a - b);
  const pick = (from: readonly number[], to: readonly number[]): Matrix => {
    const out = matrix(from.length, to.length);
    for (const [i, p] of from.entries())
      for (const [j, q] of to.entries()) out.data[i * to.length + j] = gram.data[p * columns + q];
    return out;
  };
  // [kept, lost]: how the columns that stay tell those that go
  const { l } = dampedCholesky(pick(kept, kept), { damp });
  const told = solveCholesky(l, pick(kept, lost));
  const away = matrix(rows, lost.length);
  for (let row = 0; row < rows; row++)
    for (const [j, c] of lost.entries()) away.data[row * lost.length + j] = w[row * columns + c];
  // [rows, lost] x [lost, kept] -> [rows, kept]
  const added = matmul(away, told, { transposeB: true });
  const out = new Float32Array(w.length);
  const shift = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    for (const [i, c] of kept.entries()) {
      const at = row * columns + c;
      out[at] = w[at] + added.data[row * kept.length + i];
      shift[row] -= added.data[row * kept.length + i] * mean[c];
    }
    for (const c of lost) shift[row] += w[row * columns + c] * mean[c];
  }
  return { w: out, shift };
};
