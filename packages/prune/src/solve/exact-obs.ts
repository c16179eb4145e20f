import { cholesky, type Matrix, matrix, solveCholesky } from "@espalier/core/linalg";
import type { Pattern } from "../pattern/pattern.ts";

/** In which order the weights of a row go, and how much the output error grows each time. */
export interface Trace {
  /** Columns, first to go first. */
  readonly order: Int32Array;
  /** Growth of (ŵ - w) H (ŵ - w)ᵀ */
  readonly losses: Float64Array;
}

/**
 * Removes weights of a row one at a time, always the one whose removal costs least once the others have made up for it.
 *
 *     p = argmin w_p² / [H⁻¹]_pp      w <- w - w_p / [H⁻¹]_pp · H⁻¹_:p      H⁻¹ <- H⁻¹ - H⁻¹_:p H⁻¹_p: / [H⁻¹]_pp
 *
 * @param w       [columns], left as it is
 * @param inverse H⁻¹, [columns, columns], left as it is
 * @param count   how many go at most; with a pattern, as many as it lets go
 * Source: Hassibi and Stork 1992; arXiv:2208.11580, algorithm 1.
 */
export const obsTrace = (w: ArrayLike<number>, inverse: Matrix, count: number, pattern?: Pattern): Trace => {
  const n = inverse.columns;
  const rest = Float64Array.from(w);
  const inv = inverse.data.slice();
  const alive = new Uint8Array(n).fill(1);
  const goneOf = new Uint16Array(pattern ? n / pattern.of : 0);
  const order = new Int32Array(count);
  const losses = new Float64Array(count);
  for (let step = 0; step < count; step++) {
    let [best, least] = [-1, Number.POSITIVE_INFINITY];
    for (let j = 0; j < n; j++) {
      if (!alive[j]) continue;
      if (pattern && goneOf[Math.floor(j / pattern.of)] === pattern.of - pattern.keep) continue;
      const loss = rest[j] ** 2 / inv[j * n + j];
      if (loss < least) [best, least] = [j, loss];
    }
    if (best < 0) return { order: order.slice(0, step), losses: losses.slice(0, step) };
    order[step] = best;
    losses[step] = least;
    const pivot = inv[best * n + best];
    const factor = rest[best] / pivot;
    for (let j = 0; j < n; j++) if (alive[j]) rest[j] -= factor * inv[best * n + j];
    alive[best] = 0;
    rest[best] = 0;
    if (pattern) goneOf[Math.floor(best / pattern.of)]++;
    for (let i = 0; i < n; i++) {
      if (!alive[i]) continue;
      const scale = inv[i * n + best] / pivot;
      if (scale !== 0) for (let j = 0; j < n; j++) inv[i * n + j] -= scale * inv[best * n + j];
    }
  }
  return { order, losses };
};

/** How many removals of each row to take so that `total` go, always the cheapest that is next in its row. */
export const shareOut = (traces: readonly Trace[], total: number): number[] => {
  const taken = traces.map(() => 0);
  for (let done = 0; done < total; done++) {
    let [row, least] = [-1, Number.POSITIVE_INFINITY];
    for (let r = 0; r < traces.length; r++) {
      const next = traces[r].losses[taken[r]];
      if (next < least) [row, least] = [r, next];
    }
    if (row < 0) break;
    taken[row]++;
  }
  return taken;
};

/**
 * The row that stays nearest to w on the inputs with some of its columns at zero: the least-squares solution on the others.
 *
 *     ŵ_S = w_S + H_SS⁻¹ H_SD w_D      S: columns that stay, D: those that go
 *
 * @param H positive definite, [columns, columns]
 */
export const restrictedRow = (w: ArrayLike<number>, H: Matrix, gone: ArrayLike<number>): Float64Array => {
  const n = H.columns;
  const drop = new Uint8Array(n);
  for (let i = 0; i < gone.length; i++) drop[gone[i]] = 1;
  const stays = Int32Array.from({ length: n }, (_, j) => j).filter((j) => !drop[j]);
  const left = matrix(stays.length, stays.length);
  const right = matrix(stays.length, 1);
  for (let a = 0; a < stays.length; a++) {
    for (let b = 0; b < stays.length; b++) left.data[a * stays.length + b] = H.data[stays[a] * n + stays[b]];
    for (let i = 0; i < gone.length; i++) right.data[a] += H.data[stays[a] * n + gone[i]] * w[gone[i]];
  }
  const out = new Float64Array(n);
  const factor = cholesky(left);
  // a principal submatrix of a positive definite matrix is positive definite
  const change = factor ? solveCholesky(factor, right).data : new Float64Array(stays.length);
  stays.forEach((j, a) => {
    out[j] = w[j] + change[a];
  });
  return out;
};
