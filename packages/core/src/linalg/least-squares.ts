import { type DampOptions, dampedCholesky, solveCholesky } from "./cholesky.ts";
import { gramMatrix, matmul } from "./matmul.ts";
import { badMatrix, type Matrix } from "./matrix.ts";
import { svd } from "./svd.ts";

const sameRows = (a: Matrix, b: Matrix) => {
  if (a.rows !== b.rows)
    throw badMatrix(`least squares of ${a.rows} equations with ${b.rows} right sides. They must be as many.`);
};

/**
 * The X that makes ‖A X - B‖² smallest, and among those the one with the smallest ‖X‖²: [m, n] and [m, k] -> [n, k].
 * Directions whose singular value is below `tolerance` times the largest count as absent.
 *
 * @throws EspalierError `BAD_TENSOR` for dims that do not fit and numbers that are not finite
 */
export const leastSquares = (
  a: Matrix,
  b: Matrix,
  { tolerance = 2 ** -52 * Math.max(a.rows, a.columns) }: { readonly tolerance?: number } = {},
): Matrix => {
  sameRows(a, b);
  const { u, s, v } = svd(a);
  const inner = matmul(u, b, { transposeA: true });
  for (let i = 0; i < s.length; i++)
    for (let j = i * b.columns; j < (i + 1) * b.columns; j++)
      inner.data[j] = s[i] > tolerance * s[0] ? inner.data[j] / s[i] : 0;
  return matmul(v, inner);
};

/**
 * The X that makes ‖A X - B‖² + lambda ‖X‖² smallest, through AᵀA + lambda I: [m, n] and [m, k] -> [n, k].
 *
 * @throws EspalierError `BAD_TENSOR` for dims that do not fit, a negative lambda and numbers that are not finite
 */
export const ridge = (a: Matrix, b: Matrix, lambda: number, options: DampOptions = {}): Matrix => {
  sameRows(a, b);
  if (!(lambda >= 0)) throw badMatrix(`lambda is ${lambda}. Give a number of 0 or more.`);
  const h = gramMatrix(a);
  for (let i = 0; i < h.rows; i++) h.data[i * h.rows + i] += lambda;
  return solveCholesky(dampedCholesky(h, options).l, matmul(a, b, { transposeA: true }));
};
