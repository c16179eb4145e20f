import type { Rng } from "@espalier/core";
import {
  dampedCholesky,
  gramMatrix,
  type Matrix,
  matmul,
  matrix,
  solveCholesky,
  squaredNorm,
  transpose,
} from "@espalier/core/linalg";
import { type Dense, unfold } from "./tensor.ts";

/** An array as a sum of `rank` outer products: element [i, j, …] is the sum over r of factors[0][i, r] · factors[1][j, r] · … */
export interface Cp {
  /** [dims[axis], rank] for each axis; columns of all have about the same length */
  readonly factors: readonly Matrix[];
  /** ‖W - Ŵ‖² */
  readonly error: number;
}

export interface CpOptions {
  readonly restarts?: number;
  readonly rounds?: number;
}

const USUAL_RESTARTS = 3;
const USUAL_ROUNDS = 60;
const LEAST_GAIN = 1e-7;
/** Damping of the normal equations, as a share of their mean: keeps columns that grow and cancel each other in check. */
const DAMP = 1e-9;

/** Columns multiplied row by row, the last factor's rows counting fastest: [product of rows, rank]. */
const khatriRao = (factors: readonly Matrix[]): Matrix =>
  factors.reduce((a, b) => {
    const made = matrix(a.rows * b.rows, a.columns);
    for (let i = 0; i < a.rows; i++)
      for (let j = 0; j < b.rows; j++)
        for (let r = 0; r < a.columns; r++)
          made.data[(i * b.rows + j) * a.columns + r] = a.data[i * a.columns + r] * b.data[j * a.columns + r];
    return made;
  });

/** Element by element product of the Gram matrices of all factors but one. */
const hadamard = (factors: readonly Matrix[], except: number): Matrix =>
  factors
    .filter((_, axis) => axis !== except)
    .map(gramMatrix)
    .reduce((a, b) =>
      matrix(
        a.rows,
        a.columns,
        a.data.map((value, i) => value * b.data[i]),
      ),
    );

/** The columns of all factors brought to one length, so that none is tiny where another is huge. */
const balanced = (factors: readonly Matrix[]): Matrix[] => {
  const [{ columns: rank }] = factors;
  const norms = factors.map(({ data }) => {
    const sums = new Float64Array(rank);
    data.forEach((value, at) => {
      sums[at % rank] += value * value;
    });
    return sums.map(Math.sqrt);
  });
  const common = Float64Array.from(
    { length: rank },
    (_, r) => norms.reduce((product, norm) => product * norm[r], 1) ** (1 / factors.length),
  );
  return factors.map((factor, axis) => ({
    ...factor,
    data: factor.data.map((value, at) =>
      norms[axis][at % rank] > 0 ? (value * common[at % rank]) / norms[axis][at % rank] : 0,
    ),
  }));
};

const run = (unfolded: readonly Matrix[], total: number, start: readonly Matrix[], rounds: number): Cp => {
  const factors = [...start];
  let error = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    let next = total;
    for (let axis = 0; axis < factors.length; axis++) {
      const others = khatriRao(factors.filter((_, i) => i !== axis));
      const normal = hadamard(factors, axis);
      const right = matmul(others, unfolded[axis], { transposeA: true, transposeB: true });
      const solved = solveCholesky(dampedCholesky(normal, { damp: DAMP }).l, right);
      factors[axis] = transpose(solved);
      if (axis < factors.length - 1) continue;
      // ‖W - Ŵ‖² = ‖W‖² - 2 <W, Ŵ> + ‖Ŵ‖², all from what is at hand
      let [inner, size] = [0, 0];
      for (let i = 0; i < solved.data.length; i++) inner += solved.data[i] * right.data[i];
      const own = gramMatrix(factors[axis]);
      for (let i = 0; i < own.data.length; i++) size += own.data[i] * normal.data[i];
      next = Math.max(total - 2 * inner + size, 0);
    }
    const gain = error - next;
    error = next;
    if (gain <= LEAST_GAIN * total) break;
  }
  return { factors: balanced(factors), error };
};

/**
 * Canonical polyadic decomposition by alternating least squares: each step solves for one factor exactly, so that the
 * error does not rise. The best of some random starts is taken, for the iteration ends in local minima.
 * Sources: arXiv:1412.6553; Kolda and Bader, SIAM Review 51 (2009), section 3.4.
 *
 * @throws EspalierError `BAD_TENSOR` for numbers that are not finite
 */
export const cp = (
  w: Dense,
  rank: number,
  rng: Rng,
  { restarts = USUAL_RESTARTS, rounds = USUAL_ROUNDS }: CpOptions = {},
): Cp => {
  const total = squaredNorm(w);
  const unfolded = w.dims.map((_, axis) => unfold(w, axis));
  let best: Cp | undefined;
  for (let start = 0; start < restarts; start++) {
    const random = w.dims.map((rows) =>
      matrix(
        rows,
        rank,
        Float64Array.from({ length: rows * rank }, () => rng.normal()),
      ),
    );
    const found = run(unfolded, total, random, rounds);
    if (!best || found.error < best.error) best = found;
  }
  return best!;
};
