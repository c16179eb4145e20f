import { describe, expect, it } from "vitest";
import { distance, gaussianMatrix, naiveProduct } from "../../test/matrices.ts";
import {
  cholesky,
  dampedCholesky,
  gramMatrix,
  identity,
  invertCholesky,
  matrix,
  solveCholesky,
  transpose,
} from "./index.ts";

const EPSILON = 2 ** -52;

describe("cholesky", () => {
  it("L Lᵀ = A within n ε, L lower with a positive diagonal, for sizes around the block", () => {
    for (const n of [1, 2, 63, 64, 65, 130, 200]) {
      const a = gramMatrix(gaussianMatrix(2 * n + 3, n, n));
      const l = cholesky(a)!;
      expect(distance(naiveProduct(l, transpose(l)), a)).toBeLessThanOrEqual(n * EPSILON + EPSILON);
      for (let i = 0; i < n; i++) {
        expect(l.data[i * n + i]).toBeGreaterThan(0);
        for (let j = i + 1; j < n; j++) expect(l.data[i * n + j]).toBe(0);
      }
    }
  });

  it("solves the Hilbert matrix of order 8, condition 1.5e10, with a residual within 1e-14", () => {
    const n = 8;
    const hilbert = matrix(
      n,
      n,
      Float64Array.from({ length: n * n }, (_, at) => 1 / (Math.floor(at / n) + (at % n) + 1)),
    );
    const b = gaussianMatrix(n, 2);
    const x = solveCholesky(cholesky(hilbert)!, b);
    const residual = naiveProduct(hilbert, x).data.map((value, i) => Math.abs(value - b.data[i]));
    expect(Math.max(...residual) / Math.max(...x.data.map(Math.abs))).toBeLessThanOrEqual(1e-14);
  });

  it("gives undefined for indefinite matrices, also where only a later block shows it", () => {
    expect(cholesky(matrix(2, 2, [1, 2, 2, 1]))).toBeUndefined();
    const late = identity(100);
    late.data[99 * 100 + 99] = -1;
    expect(cholesky(late)).toBeUndefined();
  });

  it("A⁻¹ A = I within 1e-11 for a condition of about 1e3", () => {
    const a = gramMatrix(gaussianMatrix(220, 90));
    expect(distance(naiveProduct(invertCholesky(cholesky(a)!), a), identity(90))).toBeLessThanOrEqual(1e-11);
  });
});

describe("dampedCholesky", () => {
  it("adds nothing to a definite matrix, and what is asked for where it is asked for", () => {
    const a = gramMatrix(gaussianMatrix(40, 10));
    expect(dampedCholesky(a).damping).toBe(0);
    const mean = a.data.reduce((sum, value, at) => sum + (at % 11 === 0 ? value : 0), 0) / 10;
    expect(dampedCholesky(a, { damp: 0.01 }).damping / mean).toBeCloseTo(0.01, 12);
  });

  it("a Gram matrix of fewer samples than columns is factored with a damping below 1e-5 of its mean", () => {
    const a = gramMatrix(gaussianMatrix(5, 40));
    const { l, damping } = dampedCholesky(a);
    const mean = a.data.reduce((sum, value, at) => sum + (at % 41 === 0 ? value : 0), 0) / 40;
    expect(damping).toBeLessThanOrEqual(1e-5 * mean);
    const damped = { ...a, data: a.data.map((value, at) => value + (at % 41 === 0 ? damping : 0)) };
    expect(distance(naiveProduct(l, transpose(l)), damped)).toBeLessThanOrEqual(1e-14);
  });

  it("zeros are damped by the mean 1, and infinities are BAD_TENSOR", () => {
    expect(dampedCholesky(matrix(3, 3)).damping).toBeGreaterThan(0);
    const infinite = matrix(2, 2, [1, 0, 0, Number.POSITIVE_INFINITY]);
    expect(() => dampedCholesky(infinite)).toThrowError(expect.objectContaining({ code: "BAD_TENSOR" }));
  });
});
