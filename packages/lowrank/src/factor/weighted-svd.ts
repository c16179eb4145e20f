import type { PassKernels } from "@espalier/core";
import { type LinearAlgebra, linearAlgebra, type Matrix } from "@espalier/core/linalg";
import type { Factors } from "./factors.ts";

/** The error that is made smallest: ‖diag(left) (W - UV) right‖, identities where absent. */
export interface Metric {
  /** [m], positive */
  readonly left?: Float64Array;
  /** [n], positive, a diagonal; or [n, n], any factor R of a Gram matrix R Rᵀ */
  readonly right?: Float64Array | Matrix;
}

/** Best factors of every rank up to one, with the error of each. */
export interface Spectral {
  /** [min(m, n) + 1], the squared error in the metric at rank r: sum of the discarded s_i² */
  readonly errors: Float64Array;
  /** @throws RangeError above the rank that was kept */
  factors(rank: number): Factors;
}

const scaleRows = (a: Matrix, by: Float64Array): Matrix => ({
  ...a,
  data: a.data.map((value, at) => value * by[Math.floor(at / a.columns)]),
});
const scaleColumns = (a: Matrix, by: Float64Array): Matrix => ({
  ...a,
  data: a.data.map((value, at) => value * by[at % a.columns]),
});

const weighted = (w: Matrix, { left, right }: Metric, matmul: LinearAlgebra["matmul"]): Matrix => {
  const scaled = left ? scaleRows(w, left) : w;
  if (right === undefined) return scaled;
  return right instanceof Float64Array ? scaleColumns(scaled, right) : matmul(scaled, right);
};

/** Sums from the end, so that small ones are not lost beside large ones. */
const tails = (s: Float64Array): Float64Array => {
  const errors = new Float64Array(s.length + 1);
  for (let r = s.length - 1; r >= 0; r--) errors[r] = errors[r + 1] + s[r] * s[r];
  return errors;
};

/** What a singular value must exceed, as a share of the largest, for its root to be divided by. */
const LEAST = 1e-12;

/**
 * Truncated singular value decomposition of a weighted matrix, with the weights taken out again:
 *
 *     U S Vᵀ = diag(left) W right      up = diag(left)⁻¹ U_r S_r^½      down = S_r^-½ U_rᵀ diag(left) W
 *
 * `down` equals S_r^½ V_rᵀ right⁻¹ without the inverse: U_rᵀ (U S Vᵀ) right⁻¹ = U_rᵀ diag(left) W. No other factors of
 * the rank have a smaller error (Eckart and Young). Sources: arXiv:2207.00112 (left or a diagonal right),
 * arXiv:2312.05821 (diagonal), arXiv:2403.07378 (right a Cholesky factor).
 *
 * @param w    [m, n]
 * @param keep the largest rank that factors will be asked for
 */
export const weightedSvd = (w: Matrix, metric: Metric, keep: number, kernels?: PassKernels): Spectral => {
  const { matmul, svd } = linearAlgebra(kernels);
  const [m, n] = [w.rows, w.columns];
  const { u, s } = svd(weighted(w, metric, matmul));
  const target = metric.left ? scaleRows(w, metric.left) : w;
  const kept = Math.min(keep, s.length);
  const up = new Float32Array(m * kept);
  const basis = { rows: m, columns: kept, data: new Float64Array(m * kept) };
  for (let i = 0; i < m; i++)
    for (let r = 0; r < kept; r++) {
      const root = s[r] > LEAST * s[0] ? Math.sqrt(s[r]) : 1;
      const value = u.data[i * u.columns + r];
      up[i * kept + r] = (value * root) / (metric.left?.[i] ?? 1);
      basis.data[i * kept + r] = value / root;
    }
  const down = Float32Array.from(matmul(basis, target, { transposeA: true }).data);
  return {
    errors: tails(s),
    factors(rank) {
      if (rank > kept) throw new RangeError(`rank ${rank} of ${kept} that were kept`);
      const narrow = new Float32Array(m * rank);
      for (let i = 0; i < m; i++) narrow.set(up.subarray(i * kept, i * kept + rank), i * rank);
      return { rank, up: narrow, down: down.slice(0, rank * n) };
    },
  };
};
