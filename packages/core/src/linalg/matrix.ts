import { EspalierError } from "../errors.ts";

/** A dense matrix of doubles, row-major: element (i, j) is `data[i * columns + j]`. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

export const badMatrix = (message: string): EspalierError => new EspalierError("BAD_TENSOR", "core/linalg", message);

/**
 * A matrix of zeros, or of given numbers: doubles are taken as they are, without a copy, others are copied.
 *
 * @throws EspalierError `BAD_TENSOR` when there are not rows * columns numbers
 */
export const matrix = (rows: number, columns: number, values?: ArrayLike<number>): Matrix => {
  if (values !== undefined && values.length !== rows * columns)
    throw badMatrix(`a matrix of ${rows} × ${columns} was given ${values.length} numbers. Check its dims.`);
  if (values === undefined) return { rows, columns, data: new Float64Array(rows * columns) };
  return { rows, columns, data: values instanceof Float64Array ? values : Float64Array.from(values) };
};

/** The identity of n rows. */
export const identity = (n: number): Matrix => {
  const made = matrix(n, n);
  for (let i = 0; i < n; i++) made.data[i * n + i] = 1;
  return made;
};

/** Edge of the squares that are turned at a time: two fit the first cache. */
const TILE = 16;

/** Aᵀ, a new matrix. */
export const transpose = ({ rows, columns, data }: Matrix): Matrix => {
  const out = new Float64Array(rows * columns);
  for (let i0 = 0; i0 < rows; i0 += TILE)
    for (let j0 = 0; j0 < columns; j0 += TILE) {
      const [i1, j1] = [Math.min(rows, i0 + TILE), Math.min(columns, j0 + TILE)];
      for (let i = i0; i < i1; i++) for (let j = j0; j < j1; j++) out[j * rows + i] = data[i * columns + j];
    }
  return { rows: columns, columns: rows, data: out };
};

/** The first `count` columns of a matrix, a copy. */
export const leftColumns = ({ rows, columns, data }: Matrix, count: number): Matrix => {
  const out = matrix(rows, count);
  for (let i = 0; i < rows; i++) out.data.set(data.subarray(i * columns, i * columns + count), i * count);
  return out;
};

/** The first `count` rows of a matrix: a view of the same numbers. */
export const topRows = ({ columns, data }: Matrix, count: number): Matrix => ({
  rows: count,
  columns,
  data: data.subarray(0, count * columns),
});

/** sum of a[i]^2 over all elements. */
export const squaredNorm = ({ data }: { readonly data: ArrayLike<number> }): number => {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i] * data[i];
  return sum;
};

/** @throws EspalierError `BAD_TENSOR` for a matrix that is not square */
export const expectSquare = ({ rows, columns }: Matrix, what: string): void => {
  if (rows !== columns) throw badMatrix(`${what} needs a square matrix, got ${rows} × ${columns}.`);
};
