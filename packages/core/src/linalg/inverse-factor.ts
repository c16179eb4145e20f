import type { PassKernels } from "../pass-kernels.ts";
import { linearAlgebra } from "./linear-algebra.ts";
import { type Matrix, matrix } from "./matrix.ts";

/** Rows and columns in reverse order. */
const flipped = ({ rows, columns, data }: Matrix): Matrix => ({ rows, columns, data: data.toReversed() });

export interface InverseFactor {
  /** [columns, columns], upper: UᵀU = (H + damping · I)⁻¹ */
  readonly U: Matrix;
  /** 1 where an input is always zero. */
  readonly dead: Uint8Array;
  /** What was added to the diagonal. */
  readonly damping: number;
}

/**
 * The upper Cholesky factor of the inverse of a damped Gram matrix, inputs that are always zero counted as if they were not.
 *
 * No inverse is formed: with H = R Rᵀ for an upper R, which is the factor of H in reverse order, U = R⁻¹.
 *
 * @param damp what is added to the diagonal, as a share of its mean; more where that does not make H definite
 */
export const inverseFactor = (H: Matrix, damp: number, kernels?: PassKernels): InverseFactor => {
  const { dampedCholesky, invertLower } = linearAlgebra(kernels);
  const n = H.columns;
  const filled = matrix(n, n, H.data.slice());
  const dead = new Uint8Array(n);
  for (let j = 0; j < n; j++)
    if (filled.data[j * n + j] === 0) {
      dead[j] = 1;
      filled.data[j * n + j] = 1;
    }
  const { l, damping } = dampedCholesky(flipped(filled), { damp });
  return { U: flipped(invertLower(l)), dead, damping };
};
