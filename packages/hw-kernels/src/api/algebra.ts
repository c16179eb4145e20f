import type { Matrix } from "../algebra/block.ts";
import { matrixFrom, multiply, numbersOf, withBlocks } from "../algebra/block.ts";
import { factor } from "../algebra/cholesky.ts";
import { type Eigen, eigenSymmetric } from "../algebra/eigen.ts";
import { type Qr, qr } from "../algebra/qr.ts";
import {
  type AnyMatrix,
  type Normals,
  type RandomizedOptions,
  type RandomizedSvd,
  randomizedSvd,
} from "../algebra/randomized-svd.ts";
import { type Svd, svd } from "../algebra/svd.ts";
import { INVERT_ROWS, invert, solve } from "../algebra/triangular.ts";
import { EspalierError } from "../errors.ts";
import { syrk } from "../ops/syrk/op.ts";
import type { Runtime } from "../runtime/runtime.ts";

export interface AlgebraKernels {
  /**
   * Adds X'X of `count` rows to a lower triangle, row by row, in float64: sum [columns * (columns + 1) / 2]. Sums run in
   * float32 over 256 rows, and in float64 from there on.
   */
  gram(sum: Float64Array, x: Float32Array, count: number, columns: number): void;
  /** A B in float64, [m, k] x [k, n] -> [m, n], either one transposed. */
  matmul(a: Matrix, b: Matrix, options?: { readonly transposeA?: boolean; readonly transposeB?: boolean }): Matrix;
  /** A'A in float64, [m, n] -> [n, n], symmetric to the last bit. */
  gramMatrix(a: Matrix): Matrix;
  /**
   * The lower triangle L with L L' = A, zeros above its diagonal; undefined where A is not positive definite in double
   * precision. Only the lower triangle of A is read. Blocked: Higham, Accuracy and Stability, 10.1; Golub and Van Loan 4.2.9.
   */
  cholesky(a: Matrix): Matrix | undefined;
  /** X of L X = B for a lower triangle, [n, n] and [n, m] -> [n, m]. What stands above the diagonal is not read. */
  solveLower(l: Matrix, b: Matrix): Matrix;
  /** X of L' X = B for a lower triangle. */
  solveLowerTransposed(l: Matrix, b: Matrix): Matrix;
  /** L^-1 of a lower triangle: a lower triangle, with zeros above. */
  invertLower(l: Matrix): Matrix;
  /** A = Q R, [m, n], by blocked Householder reflections. Columns that depend on earlier ones leave zeros in R. */
  qr(a: Matrix): Qr;
  /** A = V diag(values) V' of a symmetric matrix, by reduction to tridiagonal form and QL. Only the lower triangle is read. */
  eigenSymmetric(a: Matrix): Eigen;
  /** A = U diag(s) V', thin, by eigenvectors of the smaller Gram matrix made exact by one-sided Jacobi rotations. */
  svd(a: Matrix): Svd;
  /**
   * The first `rank` singular values and vectors, from a random range. Floats are multiplied as floats. The same random
   * numbers give the same result. Source: arXiv:0909.4061, algorithms 4.4 and 5.1.
   */
  randomizedSvd(a: AnyMatrix, rank: number, rng: Normals, options?: RandomizedOptions): RandomizedSvd;
}

const bad = (where: string, what: string) => new EspalierError("BAD_DATA", `hw-kernels/${where}`, what);

const checkSquare = (where: string, { rows, columns }: Matrix) => {
  if (rows !== columns) throw bad(where, `a is ${rows} x ${columns}. Give a square matrix.`);
};

const check = (where: string, matrices: Readonly<Record<string, AnyMatrix>>) => {
  for (const [name, { rows, columns, data }] of Object.entries(matrices))
    if (data.length !== rows * columns)
      throw bad(where, `${name} is ${rows} x ${columns} and has ${data.length} numbers. Make them agree.`);
};

const checkTriangle = (where: string, l: Matrix, b?: Matrix) => {
  check(where, b ? { l, b } : { l });
  if (l.rows !== l.columns || (b && b.rows !== l.rows))
    throw bad(where, `l is ${l.rows} x ${l.columns}${b ? `, b has ${b.rows} rows` : ""}. Give a square that fits.`);
  for (let i = 0; i < l.rows; i++)
    if (l.data[i * l.rows + i] === 0)
      throw bad(where, `l has a zero on its diagonal, in row ${i}. Dampen the matrix that it comes from.`);
};

/** Zeros above the diagonal, in place. */
const clearUpper = (data: Float64Array, n: number) => {
  for (let i = 0; i < n; i++) data.fill(0, i * n + i + 1, (i + 1) * n);
};

/** Linear algebra in float64: what calibration by second moments needs. */
export const algebraKernels = (runtime: Runtime): AlgebraKernels => {
  const solved = (where: string, l: Matrix, b: Matrix, transposed: boolean): Matrix => {
    checkTriangle(where, l, b);
    return withBlocks(
      runtime,
      [
        [l.rows, l.columns],
        [b.rows, b.columns],
      ],
      ([triangle, x]) => {
        numbersOf(runtime, triangle).set(l.data);
        numbersOf(runtime, x).set(b.data);
        solve(runtime, triangle, x, { transposed });
        return matrixFrom(runtime, x);
      },
    );
  };
  return {
    gram: (sum, x, count, columns) =>
      runtime.run(syrk, {
        ...{ x, g: sum, rows: count, columns, stride: columns, from: 0, to: columns },
        ...{ alpha: 1, beta: 1, packed: 1 },
      }),
    matmul: (a, b, { transposeA = false, transposeB = false } = {}) => {
      check("matmul", { a, b });
      const [m, k] = transposeA ? [a.columns, a.rows] : [a.rows, a.columns];
      const [inner, n] = transposeB ? [b.columns, b.rows] : [b.rows, b.columns];
      if (k !== inner)
        throw bad("matmul", `${m} x ${k} and ${inner} x ${n}: the inner lengths differ. Check which is transposed.`);
      return withBlocks(
        runtime,
        [
          [a.rows, a.columns],
          [b.rows, b.columns],
          [m, n],
        ],
        ([left, right, product]) => {
          numbersOf(runtime, left).set(a.data);
          numbersOf(runtime, right).set(b.data);
          multiply(runtime, product, left, right, { transA: transposeA, transB: transposeB, beta: 0 });
          return matrixFrom(runtime, product);
        },
      );
    },
    gramMatrix: (a) => {
      check("gramMatrix", { a });
      const n = a.columns;
      return withBlocks(
        runtime,
        [
          [a.rows, n],
          [n, n],
        ],
        ([block, product]) => {
          numbersOf(runtime, block).set(a.data);
          multiply(runtime, product, block, block, { transA: true, beta: 0, lower: true });
          const made = matrixFrom(runtime, product);
          for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) made.data[j * n + i] = made.data[i * n + j]!;
          return made;
        },
      );
    },
    cholesky: (a) => {
      check("cholesky", { a });
      checkSquare("cholesky", a);
      return withBlocks(runtime, [[a.rows, a.rows]], ([block]) => {
        numbersOf(runtime, block).set(a.data);
        if (!factor(runtime, block)) return undefined;
        const l = matrixFrom(runtime, block);
        clearUpper(l.data, a.rows);
        return l;
      });
    },
    solveLower: (l, b) => solved("solveLower", l, b, false),
    solveLowerTransposed: (l, b) => solved("solveLowerTransposed", l, b, true),
    invertLower: (l) => {
      checkTriangle("invertLower", l);
      return withBlocks(
        runtime,
        [
          [l.rows, l.rows],
          [INVERT_ROWS, INVERT_ROWS],
        ],
        ([block, identity]) => {
          numbersOf(runtime, block).set(l.data);
          invert(runtime, block, identity);
          const inverse = matrixFrom(runtime, block);
          clearUpper(inverse.data, l.rows);
          return inverse;
        },
      );
    },
    qr: (a) => {
      check("qr", { a });
      return qr(runtime, a);
    },
    eigenSymmetric: (a) => {
      check("eigenSymmetric", { a });
      checkSquare("eigenSymmetric", a);
      return eigenSymmetric(runtime, a);
    },
    svd: (a) => {
      check("svd", { a });
      return svd(runtime, a);
    },
    randomizedSvd: (a, rank, rng, options) => {
      check("randomizedSvd", { a });
      return randomizedSvd(runtime, a, rank, rng, options);
    },
  };
};
