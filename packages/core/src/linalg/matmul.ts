import { badMatrix, type Matrix, matrix } from "./matrix.ts";
import { multiplyAdd, type Target, type View } from "./multiply-add.ts";

export interface MatmulOptions {
  /** A stands for Aᵀ. */
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** A matrix, or its transpose, as a view. */
const viewOf = ({ rows, columns, data }: Matrix, turned = false): View =>
  turned
    ? { data, offset: 0, rows: columns, columns: rows, rowStep: 1, columnStep: columns }
    : { data, offset: 0, rows, columns, rowStep: columns, columnStep: 1 };

/** All of a matrix, or its lower triangle, as a target. */
const targetOf = ({ data, columns }: Matrix, lower = false, offset = 0): Target => ({
  data,
  rowStart: (row) => offset + row * columns,
  lower,
});

/**
 * A B, [m, k] x [k, n] -> [m, n].
 *
 * @throws EspalierError `BAD_TENSOR` when the columns of A are not as many as the rows of B
 */
export const matmul = (
  a: Matrix,
  b: Matrix,
  { transposeA = false, transposeB = false }: MatmulOptions = {},
): Matrix => {
  const [left, right] = [viewOf(a, transposeA), viewOf(b, transposeB)];
  if (left.columns !== right.rows)
    throw badMatrix(
      `a product of ${left.rows} × ${left.columns} and ${right.rows} × ${right.columns}: the inner lengths differ. Transpose one, or check the dims.`,
    );
  const product = matrix(left.rows, right.columns);
  multiplyAdd(targetOf(product), left, right);
  return product;
};

/** Copies the lower triangle over the upper one. */
const mirror = (a: Matrix): Matrix => {
  const { rows: n, data } = a;
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) data[j * n + i] = data[i * n + j];
  return a;
};

/** AᵀA, [m, n] -> [n, n], in half the operations of a product. */
export const gramMatrix = (a: Matrix): Matrix => {
  const made = matrix(a.columns, a.columns);
  multiplyAdd(targetOf(made, true), viewOf(a, true), viewOf(a));
  return mirror(made);
};
