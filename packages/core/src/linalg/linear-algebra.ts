import type { PassKernels } from "../pass-kernels.ts";
import { cholesky, type Damped, type DampOptions, dampedCholesky } from "./cholesky.ts";
import { eigenSymmetric } from "./eigen.ts";
import { gramMatrix, matmul } from "./matmul.ts";
import type { Matrix } from "./matrix.ts";
import { qr } from "./qr.ts";
import { randomizedSvd } from "./randomized-svd.ts";
import { svd } from "./svd.ts";
import { invertLower, solveLower, solveLowerTransposed } from "./triangular.ts";

type Kernel = Exclude<keyof PassKernels, "quantizeBlocks" | "gram">;

/** Functions of `@espalier/core/linalg`, by fast kernels where there are any. */
export interface LinearAlgebra extends Required<Pick<PassKernels, Kernel>> {
  dampedCholesky(a: Matrix, options?: DampOptions): Damped;
  solveCholesky(l: Matrix, b: Matrix): Matrix;
  invertCholesky(l: Matrix): Matrix;
}

/** Linear algebra for a pass: `linearAlgebra(ctx.kernels)`. Results are within rounding of those without kernels. */
export const linearAlgebra = (kernels: PassKernels = {}): LinearAlgebra => {
  const chosen = {
    matmul: kernels.matmul ?? matmul,
    gramMatrix: kernels.gramMatrix ?? gramMatrix,
    cholesky: kernels.cholesky ?? cholesky,
    solveLower: kernels.solveLower ?? solveLower,
    solveLowerTransposed: kernels.solveLowerTransposed ?? solveLowerTransposed,
    invertLower: kernels.invertLower ?? invertLower,
    qr: kernels.qr ?? qr,
    eigenSymmetric: kernels.eigenSymmetric ?? eigenSymmetric,
    svd: kernels.svd ?? svd,
    randomizedSvd: kernels.randomizedSvd ?? randomizedSvd,
  };
  return {
    ...chosen,
    dampedCholesky: (a, options) => dampedCholesky(a, options, chosen.cholesky),
    solveCholesky: (l, b) => chosen.solveLowerTransposed(l, chosen.solveLower(l, b)),
    invertCholesky: (l) => chosen.gramMatrix(chosen.invertLower(l)),
  };
};
