import { badMatrix, expectSquare, type Matrix, transpose } from "./matrix.ts";
import { tridiagonalize } from "./tridiagonal.ts";
import { rotateAt } from "./vector.ts";

export interface Eigen {
  /** [n], largest first */
  readonly values: Float64Array;
  /** [n, n], column i belongs to value i; orthonormal */
  readonly vectors: Matrix;
}

const EPSILON = 2 ** -52;
/** Steps that one eigenvalue may take; it takes two on average. */
const MOST_STEPS = 60;

/**
 * One QL step with Wilkinson's shift on rows `from` to `to`, in place; the rotations are applied to rows of `turned`.
 * Source: Golub and Van Loan, Matrix Computations, section 8.3.5; Bowdler et al., Numer. Math. 11 (1968).
 */
const qlStep = (d: Float64Array, e: Float64Array, turned: Float64Array, n: number, from: number, to: number) => {
  const ratio = (d[from + 1] - d[from]) / (2 * e[from]);
  const root = Math.hypot(ratio, 1);
  let g = d[to] - d[from] + e[from] / (ratio + (ratio < 0 ? -root : root));
  let [s, c, p] = [1, 1, 0];
  for (let i = to - 1; i >= from; i--) {
    const [f, b] = [s * e[i], c * e[i]];
    const norm = Math.hypot(f, g);
    e[i + 1] = norm;
    if (norm === 0) {
      // the matrix falls apart here; the next step goes on with the parts
      d[i + 1] -= p;
      e[to] = 0;
      return;
    }
    s = f / norm;
    c = g / norm;
    g = d[i + 1] - p;
    const r = (d[i] - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
    rotateAt(turned, i * n, turned, (i + 1) * n, n, c, s);
  }
  d[from] -= p;
  e[from] = g;
  e[to] = 0;
};

/** Eigenvalues in d and eigenvectors in the rows of `turned`, from a tridiagonal matrix. */
const diagonalize = (d: Float64Array, e: Float64Array, turned: Matrix) => {
  const n = d.length;
  for (let from = 0; from < n; from++) {
    for (let steps = 0; ; steps++) {
      let to = from;
      while (to < n - 1 && Math.abs(e[to]) > EPSILON * (Math.abs(d[to]) + Math.abs(d[to + 1]))) to++;
      if (to === from) break;
      if (steps === MOST_STEPS) throw badMatrix("eigenvalues were not found. Check that the matrix is finite.");
      qlStep(d, e, turned.data, n, from, to);
    }
  }
};

/**
 * Eigenvalues and eigenvectors of a symmetric matrix, A = V diag(values) Vᵀ, by reduction to tridiagonal form and QL
 * iterations. Only the lower triangle is read. About 9 n³ operations: n = 512 takes about a second.
 *
 * @throws EspalierError `BAD_TENSOR` for a matrix that is not square or not finite
 */
export const eigenSymmetric = (a: Matrix): Eigen => {
  expectSquare(a, "an eigendecomposition");
  if (!a.data.every(Number.isFinite)) throw badMatrix("the matrix is not finite. Check the data that it comes from.");
  const n = a.rows;
  const { diagonal, beside, turned } = tridiagonalize(a);
  diagonalize(diagonal, beside, turned);
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => diagonal[j] - diagonal[i] || i - j);
  const sorted = new Float64Array(n * n);
  order.forEach((from, to) => {
    sorted.set(turned.data.subarray(from * n, (from + 1) * n), to * n);
  });
  return {
    values: Float64Array.from(order, (i) => diagonal[i]),
    vectors: transpose({ rows: n, columns: n, data: sorted }),
  };
};
