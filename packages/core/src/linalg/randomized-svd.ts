import type { Rng } from "../numeric/rng.ts";
import { matmul } from "./matmul.ts";
import { badMatrix, leftColumns, type Matrix, matrix, squaredNorm } from "./matrix.ts";
import { qr } from "./qr.ts";
import { type Svd, svd } from "./svd.ts";

export interface RandomizedOptions {
  /** Directions beyond `rank` that are tried. */
  readonly oversample?: number;
  /** Products with A Aᵀ that turn the directions towards the large singular values. */
  readonly powers?: number;
}

export interface RandomizedSvd extends Svd {
  /** ‖A - U diag(s) Vᵀ‖ (Frobenius) of the factors returned: computed, not estimated. */
  readonly error: number;
  /**
   * ‖A - Q Qᵀ A‖ (Frobenius), what the range that was searched does not hold. It bounds how far the factors are from
   * the best of this rank:
   *
   *     best error² <= error² <= best error² + residual²      and      s_i² <= (true s_i)² <= s_i² + residual²
   */
  readonly residual: number;
}

/**
 * The first `rank` singular values and vectors of a large matrix, from a random range of it: 4 m n (rank + oversample)
 * operations for each power, where all of the decomposition takes more than 9 m n min(m, n).
 *
 * The bounds of `residual` follow from AᵀA = AᵀQQᵀA + Aᵀ(I - QQᵀ)A and Ky Fan's inequality. The same generator gives
 * the same numbers. Source: arXiv:0909.4061, algorithms 4.4 and 5.1.
 *
 * @param a [m, n]
 * @throws EspalierError `BAD_TENSOR` for a rank below 1 or above min(m, n), and for numbers that are not finite
 */
export const randomizedSvd = (
  a: Matrix,
  rank: number,
  rng: Rng,
  { oversample = 16, powers = 2 }: RandomizedOptions = {},
): RandomizedSvd => {
  const least = Math.min(a.rows, a.columns);
  if (!Number.isInteger(rank) || rank < 1 || rank > least)
    throw badMatrix(`rank ${rank} of a matrix of ${a.rows} × ${a.columns}. Choose a whole number from 1 to ${least}.`);
  const total = squaredNorm(a);
  if (!Number.isFinite(total)) throw badMatrix("the matrix is not finite. Check the weights that it comes from.");
  const width = Math.min(least, rank + oversample);
  const start = matrix(a.columns, width);
  for (let i = 0; i < start.data.length; i++) start.data[i] = rng.normal();
  let { q } = qr(matmul(a, start));
  for (let i = 0; i < powers; i++) q = qr(matmul(a, qr(matmul(a, q, { transposeA: true })).q)).q;
  const inner = matmul(q, a, { transposeA: true });
  const { u, s, v } = svd(inner);
  const held = s.subarray(0, rank).reduce((sum, value) => sum + value * value, 0);
  // the rounding of the sums themselves, so that a difference of nearly equal numbers is not taken for zero
  const rounding = total * 2 ** -52 * Math.sqrt(a.data.length);
  return {
    u: matmul(q, leftColumns(u, rank)),
    s: s.slice(0, rank),
    v: leftColumns(v, rank),
    error: Math.sqrt(Math.max(total - held, 0) + rounding),
    residual: Math.sqrt(Math.max(total - squaredNorm(inner), 0) + rounding),
  };
};
