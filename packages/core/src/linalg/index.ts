export {
  cholesky,
  type Damped,
  type DampOptions,
  dampedCholesky,
  invertCholesky,
  solveCholesky,
} from "./cholesky.ts";
export { compensatingSweep, SWEEP_BLOCK, type SweepOptions } from "./compensating-sweep.ts";
export { type Eigen, eigenSymmetric } from "./eigen.ts";
export { type InverseFactor, inverseFactor } from "./inverse-factor.ts";
export { leastSquares, ridge } from "./least-squares.ts";
export { type LinearAlgebra, linearAlgebra } from "./linear-algebra.ts";
export { gramMatrix, type MatmulOptions, matmul } from "./matmul.ts";
export { identity, leftColumns, type Matrix, matrix, squaredNorm, topRows, transpose } from "./matrix.ts";
export { type Qr, qr } from "./qr.ts";
export { type RandomizedOptions, type RandomizedSvd, randomizedSvd } from "./randomized-svd.ts";
export { type Svd, svd } from "./svd.ts";
export { invertLower, solveLower, solveLowerTransposed } from "./triangular.ts";
