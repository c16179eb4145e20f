import { eigenSymmetric } from "./eigen.ts";
import { gramMatrix, matmul } from "./matmul.ts";
import { badMatrix, type Matrix, transpose } from "./matrix.ts";
import { addAt, dotAt, rotateAt } from "./vector.ts";

export interface Svd {
  /** [m, k], orthonormal columns */
  readonly u: Matrix;
  /** [k], largest first, none negative */
  readonly s: Float64Array;
  /** [n, k], orthonormal columns */
  readonly v: Matrix;
}

const EPSILON = 2 ** -52;
/** Sweeps over all pairs; after the start from eigenvectors, two or three do. */
const MOST_SWEEPS = 40;

const norm = (a: Float64Array, at: number, length: number) => Math.sqrt(dotAt(a, at, a, at, length));

/**
 * One-sided Jacobi: rotates rows of W, [n, m], and rows of Vᵀ with them, until all rows of W are orthogonal.
 * Source: Hestenes, J. SIAM 6 (1958); rotation angles as in Golub and Van Loan, section 8.6.3.
 *
 * @returns true when a sweep found nothing to rotate
 */
const sweep = (w: Matrix, vt: Matrix, noise: number): boolean => {
  const { rows: n, columns: m } = w;
  const squares = Float64Array.from({ length: n }, (_, i) => dotAt(w.data, i * m, w.data, i * m, m));
  const bound = EPSILON * Math.sqrt(m);
  let done = true;
  for (let i = 0; i < n - 1; i++)
    for (let j = i + 1; j < n; j++) {
      if (Math.max(squares[i], squares[j]) <= noise) continue;
      const product = dotAt(w.data, i * m, w.data, j * m, m);
      if (Math.abs(product) <= bound * Math.sqrt(squares[i] * squares[j]) || product === 0) continue;
      // rows below the noise are what rounding left of zeros: their angle to a large row has no meaning beyond that
      if (
        Math.min(squares[i], squares[j]) <= noise &&
        product * product <= noise * Math.max(squares[i], squares[j]) * EPSILON
      )
        continue;
      done = false;
      const zeta = (squares[j] - squares[i]) / (2 * product);
      const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
      const c = 1 / Math.hypot(1, t);
      rotateAt(w.data, i * m, w.data, j * m, m, c, c * t);
      rotateAt(vt.data, i * vt.columns, vt.data, j * vt.columns, vt.columns, c, c * t);
      squares[i] = dotAt(w.data, i * m, w.data, i * m, m);
      squares[j] = dotAt(w.data, j * m, w.data, j * m, m);
    }
  return done;
};

/** Rows of unit length from those of W; rows that are noise are made anew, orthogonal to all before. */
const normalized = (w: Matrix, order: readonly number[], s: Float64Array, least: number): Matrix => {
  const m = w.columns;
  const u = new Float64Array(order.length * m);
  let next = 0;
  order.forEach((from, to) => {
    const at = to * m;
    if (s[to] > least) {
      for (let k = 0; k < m; k++) u[at + k] = w.data[from * m + k] / s[to];
      return;
    }
    // a unit vector that the rows before do not span; Gram and Schmidt twice, which is enough
    for (let size = 0; size < 0.5; next++) {
      u.fill(0, at, at + m);
      u[at + (next % m)] = 1;
      for (let again = 0; again < 2; again++)
        for (let i = 0; i < to; i++) addAt(-dotAt(u, i * m, u, at, m), u, i * m, u, at, m);
      size = norm(u, at, m) * Math.sqrt(m / Math.max(1, m - to));
      if (size < 0.5 && next > 2 * m) size = norm(u, at, m) > 0 ? 1 : 0;
    }
    const size = norm(u, at, m);
    for (let k = at; k < at + m; k++) u[k] /= size;
  });
  return { rows: order.length, columns: m, data: u };
};

/** Of a matrix with no fewer rows than columns. */
const tallSvd = (a: Matrix): Svd => {
  const n = a.columns;
  // Eigenvectors of AᵀA bring the columns of A V to within rounding of orthogonal; Jacobi does the rest.
  const vt = transpose(eigenSymmetric(gramMatrix(a)).vectors);
  const w = matmul(vt, a, { transposeB: true });
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, norm(w.data, i * w.columns, w.columns));
  const least = largest * EPSILON * Math.max(a.rows, n);
  for (let i = 0; i < MOST_SWEEPS && !sweep(w, vt, least * least); i++);
  const norms = Float64Array.from({ length: n }, (_, i) => norm(w.data, i * w.columns, w.columns));
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => norms[j] - norms[i] || i - j);
  const s = Float64Array.from(order, (i) => norms[i]);
  const sorted = new Float64Array(n * n);
  order.forEach((from, to) => {
    sorted.set(vt.data.subarray(from * n, (from + 1) * n), to * n);
  });
  return {
    u: transpose(normalized(w, order, s, least)),
    s,
    v: transpose({ rows: n, columns: n, data: sorted }),
  };
};

/**
 * The thin singular value decomposition A = U diag(s) Vᵀ with k = min(m, n): eigenvectors of the smaller Gram matrix,
 * made exact by one-sided Jacobi rotations, so that small singular values come out right as well.
 *
 * Guarantee: ‖A - U diag(s) Vᵀ‖ and the products of different columns are within a few n ε of ‖A‖ and of 0.
 *
 * @param a [m, n]
 * @throws EspalierError `BAD_TENSOR` for numbers that are not finite
 */
export const svd = (a: Matrix): Svd => {
  if (!a.data.every(Number.isFinite))
    throw badMatrix("the matrix is not finite. Check the weights that it comes from.");
  let largest = 0;
  for (const value of a.data) largest = Math.max(largest, Math.abs(value));
  // a power of two near the largest number, so that squares neither overflow nor vanish
  const scale = largest > 0 ? 2 ** Math.floor(Math.log2(largest)) : 1;
  const scaled: Matrix = { ...a, data: a.data.map((value) => value / scale) };
  const wide = a.rows < a.columns;
  const { u, s, v } = tallSvd(wide ? transpose(scaled) : scaled);
  const unscaled = s.map((value) => value * scale);
  return wide ? { u: v, s: unscaled, v: u } : { u, s: unscaled, v };
};
