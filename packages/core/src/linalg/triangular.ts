import { badMatrix, expectSquare, identity, type Matrix } from "./matrix.ts";
import { multiplyAdd } from "./multiply-add.ts";
import { addAt } from "./vector.ts";

/** Rows that are solved one by one; what lies outside is done by products. */
const BLOCK = 64;

const check = (l: Matrix, b: Matrix) => {
  expectSquare(l, "a triangular solve");
  if (l.rows !== b.rows)
    throw badMatrix(`a triangle of ${l.rows} rows and a right side of ${b.rows} rows do not fit. Check the dims.`);
  for (let i = 0; i < l.rows; i++)
    if (l.data[i * l.rows + i] === 0)
      throw badMatrix(`the triangle has a zero on its diagonal, in row ${i}. Dampen the matrix that it comes from.`);
};

/**
 * X of L X = B for a lower triangle L, [n, n] and [n, m] -> [n, m]. What stands above the diagonal of L is not read.
 *
 * @throws EspalierError `BAD_TENSOR` for dims that do not fit and for a zero on the diagonal
 */
export const solveLower = (l: Matrix, b: Matrix): Matrix => {
  check(l, b);
  const [n, m] = [l.rows, b.columns];
  const x = b.data.slice();
  for (let i0 = 0; i0 < n; i0 += BLOCK) {
    const i1 = Math.min(n, i0 + BLOCK);
    // X[block] -= L[block, before] X[before]
    const left = { data: l.data, offset: i0 * n, rows: i1 - i0, columns: i0, rowStep: n, columnStep: 1 };
    const above = { data: x, offset: 0, rows: i0, columns: m, rowStep: m, columnStep: 1 };
    multiplyAdd({ data: x, rowStart: (row) => (i0 + row) * m, lower: false }, left, above, -1);
    for (let i = i0; i < i1; i++) {
      for (let j = i0; j < i; j++) addAt(-l.data[i * n + j], x, j * m, x, i * m, m);
      const scale = l.data[i * n + i];
      for (let c = i * m; c < (i + 1) * m; c++) x[c] /= scale;
    }
  }
  return { rows: n, columns: m, data: x };
};

/** X of Lᵀ X = B for a lower triangle L, as `solveLower`. */
export const solveLowerTransposed = (l: Matrix, b: Matrix): Matrix => {
  check(l, b);
  const [n, m] = [l.rows, b.columns];
  const x = b.data.slice();
  for (let i1 = n; i1 > 0; i1 -= BLOCK) {
    const i0 = Math.max(0, i1 - BLOCK);
    // X[block] -= L[after, block]ᵀ X[after]
    const left = { data: l.data, offset: i1 * n + i0, rows: i1 - i0, columns: n - i1, rowStep: 1, columnStep: n };
    const below = { data: x, offset: i1 * m, rows: n - i1, columns: m, rowStep: m, columnStep: 1 };
    multiplyAdd({ data: x, rowStart: (row) => (i0 + row) * m, lower: false }, left, below, -1);
    for (let i = i1 - 1; i >= i0; i--) {
      for (let j = i + 1; j < i1; j++) addAt(-l.data[j * n + i], x, j * m, x, i * m, m);
      const scale = l.data[i * n + i];
      for (let c = i * m; c < (i + 1) * m; c++) x[c] /= scale;
    }
  }
  return { rows: n, columns: m, data: x };
};

/** L⁻¹ of a lower triangle, [n, n]: a lower triangle, with zeros above. */
export const invertLower = (l: Matrix): Matrix => solveLower(l, identity(l.rows));
