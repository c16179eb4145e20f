import { describe, expect, it } from "vitest";
import {
  distance,
  gaussianMatrix,
  naiveProduct,
  scaleColumns,
  unorthogonality,
  withSpectrum,
} from "../../test/matrices.ts";
import { createRng } from "../numeric/rng.ts";
import {
  eigenSymmetric,
  gramMatrix,
  leastSquares,
  type Matrix,
  matrix,
  type RandomizedOptions,
  randomizedSvd,
  ridge,
  type Svd,
  squaredNorm,
  svd,
  transpose,
} from "./index.ts";

const product = ({ u, s, v }: Svd): Matrix => naiveProduct(scaleColumns(u, s), transpose(v));
const errorOf = (a: Matrix, b: Matrix): number =>
  Math.sqrt(squaredNorm({ data: a.data.map((value, i) => value - b.data[i]) }));

describe("eigenSymmetric", () => {
  it("finds 2 - 2 cos(kπ / (n + 1)) of the second difference within 1e-14", () => {
    const n = 50;
    const a = matrix(n, n);
    for (let i = 0; i < n; i++) {
      a.data[i * n + i] = 2;
      if (i > 0) a.data[i * n + i - 1] = -1;
    }
    const { values } = eigenSymmetric(a);
    for (let k = 0; k < n; k++)
      expect(Math.abs(values[k] - (2 - 2 * Math.cos(((n - k) * Math.PI) / (n + 1))))).toBeLessThanOrEqual(1e-14);
  });

  it("V diag(values) Vᵀ = A and VᵀV = I within 1e-13, for random, diagonal, repeated and rank-one matrices", () => {
    const one = gaussianMatrix(1, 40);
    const cases = [
      gramMatrix(gaussianMatrix(90, 70)),
      matrix(3, 3, [3, 0, 0, 0, 1, 0, 0, 0, 2]),
      gramMatrix(one),
      matrix(4, 4),
      matrix(1, 1, [7]),
    ];
    for (const a of cases) {
      const { values, vectors } = eigenSymmetric(a);
      expect(distance(naiveProduct(scaleColumns(vectors, values), transpose(vectors)), a)).toBeLessThanOrEqual(1e-13);
      expect(unorthogonality(vectors)).toBeLessThanOrEqual(1e-13);
      expect([...values]).toEqual([...values].sort((x, y) => y - x));
    }
  });
});

describe("svd", () => {
  it("U S Vᵀ = A and both factors orthonormal within 1e-13: tall, wide, square, one row, one column", () => {
    for (const [m, n] of [
      [60, 20],
      [20, 60],
      [33, 33],
      [1, 9],
      [9, 1],
      [1, 1],
    ]) {
      const a = gaussianMatrix(m, n, m);
      const found = svd(a);
      expect(distance(product(found), a)).toBeLessThanOrEqual(1e-13);
      expect(unorthogonality(found.u)).toBeLessThanOrEqual(1e-13);
      expect(unorthogonality(found.v)).toBeLessThanOrEqual(1e-13);
    }
  });

  it("recovers a spectrum from 1 down to 1e-10 to 1e-5 of each value, though AᵀA holds nothing below 1e-8", () => {
    const s = Array.from({ length: 21 }, (_, i) => 10 ** (-i / 2));
    const found = svd(withSpectrum(50, 30, s));
    s.forEach((value, i) => {
      expect(Math.abs(found.s[i] - value) / value).toBeLessThanOrEqual(1e-5);
    });
    expect(Math.max(...found.s.subarray(21))).toBeLessThanOrEqual(1e-14);
    expect(unorthogonality(found.u)).toBeLessThanOrEqual(1e-12);
  });

  it("keeps the factors orthonormal within 1e-12 for repeated columns, zeros and equal singular values", () => {
    const repeated = gaussianMatrix(20, 5);
    for (let i = 0; i < 20; i++) repeated.data[i * 5 + 4] = repeated.data[i * 5];
    for (const a of [
      repeated,
      matrix(6, 4),
      withSpectrum(30, 10, new Array(10).fill(2)),
      matrix(4, 4, new Array(16).fill(1)),
    ]) {
      const found = svd(a);
      expect(unorthogonality(found.u)).toBeLessThanOrEqual(1e-12);
      expect(unorthogonality(found.v)).toBeLessThanOrEqual(1e-12);
      expect(distance(product(found), a)).toBeLessThanOrEqual(1e-13);
    }
  });

  it("numbers near 1e200 and 1e-200 neither overflow nor vanish", () => {
    for (const size of [1e200, 1e-200]) {
      const a = { ...gaussianMatrix(8, 5), data: gaussianMatrix(8, 5).data.map((value) => value * size) };
      const relative = (x: Matrix) => ({ ...x, data: x.data.map((value) => value / size) });
      expect(distance(relative(product(svd(a))), relative(a))).toBeLessThanOrEqual(1e-14);
    }
  });

  it("a NaN is BAD_TENSOR", () => {
    expect(() => svd(matrix(1, 1, [Number.NaN]))).toThrowError(expect.objectContaining({ code: "BAD_TENSOR" }));
  });
});

describe("randomizedSvd", () => {
  const s = Array.from({ length: 60 }, (_, i) => 1 / (1 + i));
  const a = withSpectrum(150, 90, s);
  const rank = 12;
  const best = Math.sqrt(s.slice(rank).reduce((sum, value) => sum + value * value, 0));

  it("states its error to 1e-6, within the bound that it states: best² <= error² <= best² + residual²", () => {
    for (const powers of [0, 1, 2]) {
      const found = randomizedSvd(a, rank, createRng(5), { oversample: 8, powers });
      expect(Math.abs(found.error - errorOf(product(found), a)) / found.error).toBeLessThanOrEqual(1e-6);
      expect(found.error).toBeGreaterThanOrEqual(best * (1 - 1e-12));
      expect(found.error ** 2).toBeLessThanOrEqual(best ** 2 + found.residual ** 2);
      found.s.forEach((value, i) => {
        expect(value ** 2).toBeLessThanOrEqual(s[i] ** 2 * (1 + 1e-12));
        expect(s[i] ** 2).toBeLessThanOrEqual(value ** 2 + found.residual ** 2);
      });
    }
  });

  it("the usual two powers and 16 directions more come within 0.1 % of the best error, neither is off by over 1 %", () => {
    const error = (options?: RandomizedOptions) => randomizedSvd(a, rank, createRng(5), options).error / best;
    expect(error()).toBeLessThanOrEqual(1.001);
    expect(error({ oversample: 0, powers: 0 })).toBeGreaterThanOrEqual(1.01);
  });

  it("gives the same numbers for the same seed, and refuses ranks that the matrix has not", () => {
    const [x, y] = [randomizedSvd(a, 3, createRng(2)), randomizedSvd(a, 3, createRng(2))];
    expect(x.u.data).toEqual(y.u.data);
    for (const bad of [0, 1.5, 91])
      expect(() => randomizedSvd(a, bad, createRng(1))).toThrowError(expect.objectContaining({ code: "BAD_TENSOR" }));
  });
});

describe("least squares", () => {
  const a = gaussianMatrix(40, 6);
  const b = gaussianMatrix(40, 3, 9);

  it("leaves a residual that is orthogonal to the columns within 1e-13", () => {
    const x = leastSquares(a, b);
    const residual = { ...b, data: naiveProduct(a, x).data.map((value, i) => value - b.data[i]) };
    expect(Math.max(...naiveProduct(transpose(a), residual).data.map(Math.abs))).toBeLessThanOrEqual(1e-13);
  });

  it("of many solutions takes the shortest: that of two equal columns gives both the same share", () => {
    const x = leastSquares(matrix(2, 2, [1, 1, 2, 2]), matrix(2, 1, [4, 8]));
    expect(Math.abs(x.data[0] - 2)).toBeLessThanOrEqual(1e-14);
    expect(Math.abs(x.data[1] - 2)).toBeLessThanOrEqual(1e-14);
  });

  it("ridge solves (AᵀA + λI) X = AᵀB within 1e-13 and equals least squares for λ = 0", () => {
    const h = gramMatrix(a);
    for (let i = 0; i < 6; i++) h.data[i * 7] += 0.5;
    expect(distance(naiveProduct(h, ridge(a, b, 0.5)), naiveProduct(transpose(a), b))).toBeLessThanOrEqual(1e-13);
    expect(distance(ridge(a, b, 0), leastSquares(a, b))).toBeLessThanOrEqual(1e-13);
    expect(() => ridge(a, b, -1)).toThrowError(expect.objectContaining({ code: "BAD_TENSOR" }));
  });
});
