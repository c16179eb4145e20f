import { createRng } from "../src/index.ts";
import { type Matrix, matmul, matrix, qr, squaredNorm, transpose } from "../src/linalg/index.ts";

/** Gaussian numbers, the same for the same seed. */
export const gaussianMatrix = (rows: number, columns: number, seed = 1): Matrix => {
  const rng = createRng(seed);
  return matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => rng.normal()),
  );
};

/** A B by three plain loops. */
export const naiveProduct = (a: Matrix, b: Matrix): Matrix => {
  const out = matrix(a.rows, b.columns);
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j < b.columns; j++)
      for (let k = 0; k < a.columns; k++)
        out.data[i * b.columns + j] += a.data[i * a.columns + k] * b.data[k * b.columns + j];
  return out;
};

/** ‖A - B‖ / ‖B‖; ‖A‖ where B is zero. */
export const distance = (a: Matrix, b: Matrix): number => {
  const difference = Math.sqrt(squaredNorm({ data: a.data.map((value, i) => value - b.data[i]) }));
  const size = Math.sqrt(squaredNorm(b));
  return a.rows === b.rows && a.columns === b.columns ? difference / (size || 1) : Number.NaN;
};

/** max |QᵀQ - I| */
export const unorthogonality = (q: Matrix): number => {
  const product = naiveProduct(transpose(q), q);
  return Math.max(...product.data.map((value, at) => Math.abs(value - (at % (q.columns + 1) === 0 ? 1 : 0))));
};

/** [m, k] with its columns times the numbers of `s`. */
export const scaleColumns = (a: Matrix, s: ArrayLike<number>): Matrix => ({
  ...a,
  data: a.data.map((value, at) => value * s[at % a.columns]),
});

/** A matrix with given singular values. */
export const withSpectrum = (rows: number, columns: number, s: readonly number[], seed = 1): Matrix => {
  const u = qr(gaussianMatrix(rows, s.length, seed)).q;
  const v = qr(gaussianMatrix(columns, s.length, seed + 1)).q;
  return matmul(scaleColumns(u, s), v, { transposeB: true });
};
