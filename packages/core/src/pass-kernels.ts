import type { Eigen } from "./linalg/eigen.ts";
import type { MatmulOptions } from "./linalg/matmul.ts";
import type { Matrix } from "./linalg/matrix.ts";
import type { Qr } from "./linalg/qr.ts";
import type { RandomizedOptions, RandomizedSvd } from "./linalg/randomized-svd.ts";
import type { Svd } from "./linalg/svd.ts";
import type { Rng } from "./numeric/rng.ts";

/** Floats that are copied from where they lie as they are wanted. */
export interface FloatSource {
  readonly length: number;
  /** Fills `target` with the values from `start` on. */
  copyTo(target: Float32Array, start: number): void;
}

/** A weight matrix: [rows, columns], or [columns, rows] where it is transposed. Blocks run along the columns. */
export interface WeightShape {
  readonly rows: number;
  readonly columns: number;
  readonly transposed?: boolean;
}

/** An integer grid: one scale, and zero point where it is not symmetric, for every block of a row. */
export interface BlockGridOptions {
  readonly bits: 8 | 7 | 6 | 5 | 4 | 3 | 2;
  readonly blockSize: number;
  readonly symmetric: boolean;
  readonly range: "full" | "narrow";
  readonly scaleType: "float32" | "float16";
}

/** Codes of rows on grids, a byte each, or packed: two of 4 bits in a byte, the first one low. */
export interface BlockCodes {
  readonly codes: Uint8Array;
  readonly packed: boolean;
  /** [rows, blocks]; NaN where a block is not finite. */
  readonly scales: Float32Array;
  readonly zeroPoints: Uint8Array | undefined;
}

/**
 * Fast kernels that passes use where they are there; those of `@espalier/hw-kernels` fit. Every method may be missing or
 * answer undefined. `quantizeBlocks` has the very bits that a pass computes without it; the others are within rounding of
 * the functions of the same names in `@espalier/core/linalg`, which `linearAlgebra` chooses between.
 */
export interface PassKernels {
  /** Weights by rounding to nearest, as `quantizeRows` of `@espalier/quant` defines it. */
  quantizeBlocks?(w: Float32Array | FloatSource, shape: WeightShape, options: BlockGridOptions): BlockCodes | undefined;
  /**
   * Adds XᵀX of `count` rows of x to a lower triangle, row by row: sum [columns * (columns + 1) / 2]. Within 2⁻¹⁶ of sums
   * of magnitudes, however many rows there are: a sum in single precision runs over at most 256 rows.
   */
  gram?(sum: Float64Array, x: Float32Array, count: number, columns: number): void;
  matmul?(a: Matrix, b: Matrix, options?: MatmulOptions): Matrix;
  gramMatrix?(a: Matrix): Matrix;
  /** Undefined: the matrix is not positive definite. */
  cholesky?(a: Matrix): Matrix | undefined;
  solveLower?(l: Matrix, b: Matrix): Matrix;
  solveLowerTransposed?(l: Matrix, b: Matrix): Matrix;
  invertLower?(l: Matrix): Matrix;
  qr?(a: Matrix): Qr;
  eigenSymmetric?(a: Matrix): Eigen;
  svd?(a: Matrix): Svd;
  randomizedSvd?(a: Matrix, rank: number, rng: Rng, options?: RandomizedOptions): RandomizedSvd;
}
