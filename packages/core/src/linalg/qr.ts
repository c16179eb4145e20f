import { type Matrix, matrix, transpose } from "./matrix.ts";
import { addAt, dotAt } from "./vector.ts";

export interface Qr {
  /** [m, min(m, n)], orthonormal columns */
  readonly q: Matrix;
  /** [min(m, n), n], zeros under the diagonal, which is not negative */
  readonly r: Matrix;
}

/**
 * A = Q R by Householder reflections, [m, n]. Columns that depend on earlier ones leave zeros on the diagonal of R and
 * Q orthonormal. Source: Golub and Van Loan, Matrix Computations, algorithms 5.1.1 and 5.2.1.
 */
export const qr = (a: Matrix): Qr => {
  const [m, n] = [a.rows, a.columns];
  const rank = Math.min(m, n);
  // Columns lie one after the other; the reflector v of column k takes the place of what it cleared.
  const columns = transpose(a).data;
  const [betas, diagonal] = [new Float64Array(rank), new Float64Array(rank)];
  for (let k = 0; k < rank; k++) {
    const at = k * m + k;
    const length = m - k;
    const norm = Math.sqrt(dotAt(columns, at, columns, at, length));
    if (norm === 0) continue;
    const head = columns[at];
    diagonal[k] = head > 0 ? -norm : norm;
    columns[at] = head - diagonal[k];
    betas[k] = 2 / dotAt(columns, at, columns, at, length);
    for (let j = k + 1; j < n; j++) {
      const other = j * m + k;
      addAt(-betas[k] * dotAt(columns, at, columns, other, length), columns, at, columns, other, length);
    }
  }
  const turned = matrix(rank, m);
  for (let k = rank - 1; k >= 0; k--) {
    turned.data[k * m + k] = 1;
    if (betas[k] === 0) continue;
    for (let j = k; j < rank; j++) {
      const other = j * m + k;
      const product = dotAt(columns, k * m + k, turned.data, other, m - k);
      addAt(-betas[k] * product, columns, k * m + k, turned.data, other, m - k);
    }
  }
  const r = matrix(rank, n);
  for (let k = 0; k < rank; k++) {
    const sign = diagonal[k] < 0 ? -1 : 1;
    r.data[k * n + k] = Math.abs(diagonal[k]);
    for (let j = k + 1; j < n; j++) r.data[k * n + j] = sign * columns[j * m + k];
    if (sign < 0) for (let i = k * m; i < (k + 1) * m; i++) turned.data[i] = -turned.data[i];
  }
  return { q: transpose(turned), r };
};
