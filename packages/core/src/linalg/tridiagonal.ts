import type { Matrix } from "./matrix.ts";
import { matrix } from "./matrix.ts";
import { addAt, dotAt } from "./vector.ts";

export interface Tridiagonal {
  /** [n] */
  readonly diagonal: Float64Array;
  /** [n], element i beside diagonal i and i + 1; the last is 0 */
  readonly beside: Float64Array;
  /** Qᵀ of A = Q T Qᵀ, [n, n] */
  readonly turned: Matrix;
}

/** p = A v over rows and columns from `from` on, from the lower triangle; then A -= v wᵀ + w vᵀ with w = beta p - (..) v. */
const updateBoth = (a: Float64Array, n: number, from: number, v: Float64Array, beta: number, w: Float64Array) => {
  w.fill(0, from);
  for (let i = from; i < n; i++) {
    w[i] += dotAt(a, i * n + from, v, from, i - from) + a[i * n + i] * v[i];
    addAt(v[i], a, i * n + from, w, from, i - from);
  }
  const half = (beta * beta * dotAt(v, from, w, from, n - from)) / 2;
  for (let i = from; i < n; i++) w[i] = beta * w[i] - half * v[i];
  for (let i = from; i < n; i++) {
    const [vi, wi] = [v[i], w[i]];
    for (let j = from, at = i * n + from; j <= i; j++, at++) a[at] -= vi * w[j] + wi * v[j];
  }
};

/**
 * A symmetric matrix as Q T Qᵀ with T tridiagonal, by Householder reflections. Only the lower triangle is read.
 * Source: Golub and Van Loan, Matrix Computations, algorithm 8.3.1.
 */
export const tridiagonalize = (given: Matrix): Tridiagonal => {
  const n = given.rows;
  const a = given.data.slice();
  const [diagonal, beside, betas] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  const w = new Float64Array(n);
  const reflectors = matrix(n, n);
  for (let k = 0; k < n; k++) {
    diagonal[k] = a[k * n + k];
    if (k === n - 1) break;
    const v = reflectors.data.subarray(k * n, (k + 1) * n);
    for (let i = k + 1; i < n; i++) v[i] = a[i * n + k];
    const norm = Math.sqrt(dotAt(v, k + 1, v, k + 1, n - k - 1));
    const head = v[k + 1];
    if (k === n - 2 || norm === 0) {
      beside[k] = head;
      continue;
    }
    beside[k] = head > 0 ? -norm : norm;
    v[k + 1] = head - beside[k];
    betas[k] = 2 / dotAt(v, k + 1, v, k + 1, n - k - 1);
    updateBoth(a, n, k + 1, v, betas[k], w);
  }
  const turned = matrix(n, n);
  for (let i = 0; i < n; i++) turned.data[i * n + i] = 1;
  for (let k = n - 3; k >= 0; k--) {
    if (betas[k] === 0) continue;
    const [from, length] = [k + 1, n - k - 1];
    for (let j = from; j < n; j++) {
      const product = dotAt(reflectors.data, k * n + from, turned.data, j * n + from, length);
      addAt(-betas[k] * product, reflectors.data, k * n + from, turned.data, j * n + from, length);
    }
  }
  return { diagonal, beside, turned };
};
