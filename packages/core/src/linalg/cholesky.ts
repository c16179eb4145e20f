import { gramMatrix } from "./matmul.ts";
import { badMatrix, expectSquare, type Matrix } from "./matrix.ts";
import { multiplyAdd } from "./multiply-add.ts";
import { invertLower, solveLower, solveLowerTransposed } from "./triangular.ts";
import { dotAt } from "./vector.ts";

const BLOCK = 64;

/** One block of columns: the factor of the square on the diagonal, then of the rows under it. False: a pivot was not positive. */
const factorBlock = (data: Float64Array, n: number, from: number, to: number): boolean => {
  for (let i = from; i < n; i++) {
    const end = Math.min(i, to);
    for (let j = from; j < end; j++)
      data[i * n + j] = (data[i * n + j] - dotAt(data, i * n + from, data, j * n + from, j - from)) / data[j * n + j];
    if (i >= to) continue;
    const pivot = data[i * n + i] - dotAt(data, i * n + from, data, i * n + from, i - from);
    if (!(pivot > 0) || pivot === Number.POSITIVE_INFINITY) return false;
    data[i * n + i] = Math.sqrt(pivot);
  }
  return true;
};

/**
 * The lower triangle L with L Lᵀ = A, zeros above its diagonal; undefined where A is not positive definite in double
 * precision. Only the lower triangle of A is read. Blocked: all but n² · 64 operations are products.
 *
 * @throws EspalierError `BAD_TENSOR` for a matrix that is not square
 */
export const cholesky = (a: Matrix): Matrix | undefined => {
  expectSquare(a, "a Cholesky factor");
  const n = a.rows;
  const data = a.data.slice();
  for (let from = 0; from < n; from += BLOCK) {
    const to = Math.min(n, from + BLOCK);
    if (!factorBlock(data, n, from, to)) return undefined;
    // A[after, after] -= L[after, block] L[after, block]ᵀ
    const panel = { data, offset: to * n + from, rows: n - to, columns: to - from, rowStep: n, columnStep: 1 };
    const turned = { ...panel, rows: to - from, columns: n - to, rowStep: 1, columnStep: n };
    multiplyAdd({ data, rowStart: (row) => (to + row) * n + to, lower: true }, panel, turned, -1);
  }
  for (let i = 0; i < n; i++) data.fill(0, i * n + i + 1, (i + 1) * n);
  return { rows: n, columns: n, data };
};

export interface Damped {
  /** L with L Lᵀ = A + damping · I */
  readonly l: Matrix;
  /** What was added to the diagonal, unit of A; 0 where nothing had to be. */
  readonly damping: number;
}

export interface DampOptions {
  /** First damping, as a share of the mean of the diagonal; 0 tries the matrix as it is. */
  readonly damp?: number;
  /** Each further try multiplies the damping by this. */
  readonly growth?: number;
}

/** First share that is tried where 0 did not do: the square root of what a double resolves, and a little less. */
const LEAST_DAMP = 1e-8;
const MOST_DAMP = 1e4;

/**
 * Cholesky factor of a matrix that should be positive semidefinite, with as little added to its diagonal as makes it
 * definite: `damp` of the diagonal's mean at first, ten times more on each further try. Of a matrix of zeros, the
 * factor of the damping alone, with 1 for the mean.
 *
 * @param factor what factors, where it is not `cholesky`
 * @throws EspalierError `BAD_TENSOR` where no damping does: for numbers that are not finite, or a far too negative matrix
 */
export const dampedCholesky = (
  a: Matrix,
  { damp = 0, growth = 10 }: DampOptions = {},
  factor: (a: Matrix) => Matrix | undefined = cholesky,
): Damped => {
  expectSquare(a, "a Cholesky factor");
  const n = a.rows;
  let mean = 0;
  for (let i = 0; i < n; i++) mean += Math.abs(a.data[i * n + i]) / n;
  if (!Number.isFinite(mean)) throw badMatrix("the matrix is not finite. Check the calibration data.");
  if (mean === 0) mean = 1;
  for (let share = damp; share <= MOST_DAMP; share = share === 0 ? LEAST_DAMP : share * growth) {
    const tried = { ...a, data: a.data.slice() };
    for (let i = 0; i < n; i++) tried.data[i * n + i] += share * mean;
    const l = factor(tried);
    if (l) return { l, damping: share * mean };
  }
  throw badMatrix(`no damping up to ${MOST_DAMP} times the mean of the diagonal makes the matrix positive definite.`);
};

/** X of A X = B from the Cholesky factor of A, [n, n] and [n, m] -> [n, m]. */
export const solveCholesky = (l: Matrix, b: Matrix): Matrix => solveLowerTransposed(l, solveLower(l, b));

/** A⁻¹ from the Cholesky factor of A: L⁻ᵀ L⁻¹, symmetric to the last bit. */
export const invertCholesky = (l: Matrix): Matrix => gramMatrix(invertLower(l));
