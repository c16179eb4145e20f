import {
  eigenSymmetric,
  gramMatrix,
  leftColumns,
  type Matrix,
  matmul,
  squaredNorm,
  transpose,
} from "@espalier/core/linalg";
import { type Dense, fold, unfold } from "./tensor.ts";

/** A convolution's weight [out, in, taps] as U_out · core · U_in. */
export interface Tucker2 {
  /** [out, r_out], orthonormal columns */
  readonly out: Matrix;
  /** [in, r_in], orthonormal columns */
  readonly in: Matrix;
  /** [r_out, r_in, taps] */
  readonly core: Dense;
  /** ‖W - Ŵ‖² = ‖W‖² - ‖core‖² */
  readonly error: number;
}

/** The first `rank` left singular vectors of a matrix. */
const leading = (a: Matrix, rank: number): Matrix =>
  leftColumns(eigenSymmetric(gramMatrix(transpose(a))).vectors, rank);

/** The array times Uᵀ along an axis. */
const project = (w: Dense, u: Matrix, axis: number): Dense =>
  fold(matmul(u, unfold(w, axis), { transposeA: true }), w.dims, axis);

/** Energy s_i² of the unfolding along an axis, largest first: what HOSVD discards beyond a rank. */
export const modeEnergies = (w: Dense, axis: number): Float64Array =>
  eigenSymmetric(gramMatrix(transpose(unfold(w, axis)))).values.map((value) => Math.max(value, 0));

/** Rounds of HOI that may follow, and the fall of the error, as a share of ‖W‖², below which they end. */
const MOST_ROUNDS = 20;
const LEAST_GAIN = 1e-6;

/**
 * Tucker decomposition along the two channel axes of a convolution: HOSVD, then higher-order orthogonal iteration, each
 * round of which solves for one side exactly and so never raises the error.
 *
 *     error(HOSVD) <= sum of the energies that both modes discard      error(HOI) <= error(HOSVD)
 *
 * Sources: arXiv:1511.06530; De Lathauwer et al., SIAM J. Matrix Anal. Appl. 21 (2000), 1253 and 1324.
 *
 * @param w      [out, in, taps]
 * @param rounds most rounds of HOI; 0 leaves HOSVD as it is
 */
export const tucker2 = (w: Dense, rankOut: number, rankIn: number, rounds = MOST_ROUNDS): Tucker2 => {
  const total = squaredNorm(w);
  let [out, inner] = [leading(unfold(w, 0), rankOut), leading(unfold(w, 1), rankIn)];
  const coreOf = () => project(project(w, out, 0), inner, 1);
  let core = coreOf();
  let error = Math.max(total - squaredNorm(core), 0);
  for (let round = 0; round < rounds; round++) {
    out = leading(unfold(project(w, inner, 1), 0), rankOut);
    inner = leading(unfold(project(w, out, 0), 1), rankIn);
    core = coreOf();
    const next = Math.max(total - squaredNorm(core), 0);
    const gain = error - next;
    error = next;
    if (gain <= LEAST_GAIN * total) break;
  }
  return { out, in: inner, core, error };
};
