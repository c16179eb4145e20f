import { describe, expect, it } from "vitest";
import { distance, gaussianMatrix, naiveProduct, unorthogonality } from "../../test/matrices.ts";
import { gramMatrix, identity, matmul, matrix, qr, solveLower, solveLowerTransposed, transpose } from "./index.ts";

const EPSILON = 2 ** -52;
const sizes = [1, 3, 4, 5, 31, 33, 64, 65, 127, 129];

describe("matmul", () => {
  it("equals three plain loops within k ε, for sizes around the strips and blocks, either side turned", () => {
    for (const n of sizes) {
      const [m, k] = [Math.max(1, n - 2), n];
      const [a, b] = [gaussianMatrix(m, k, n), gaussianMatrix(k, n, n + 1)];
      const expected = naiveProduct(a, b);
      for (const [left, transposeA] of [
        [a, false],
        [transpose(a), true],
      ] as const)
        for (const [right, transposeB] of [
          [b, false],
          [transpose(b), true],
        ] as const)
          expect(distance(matmul(left, right, { transposeA, transposeB }), expected)).toBeLessThanOrEqual(k * EPSILON);
    }
  });

  it("refuses inner lengths that differ with BAD_TENSOR", () => {
    expect(() => matmul(matrix(2, 3), matrix(2, 3))).toThrowError(expect.objectContaining({ code: "BAD_TENSOR" }));
  });

  it("AᵀA equals the product within m ε and is symmetric to the last bit", () => {
    for (const n of [1, 5, 64, 131]) {
      const a = gaussianMatrix(300, n, n);
      const gram = gramMatrix(a);
      expect(distance(gram, naiveProduct(transpose(a), a))).toBeLessThanOrEqual(300 * EPSILON);
      expect(transpose(gram).data).toEqual(gram.data);
    }
  });
});

describe("triangular solves", () => {
  it("L X = B and Lᵀ X = B leave residuals within n ε of ‖L‖ ‖X‖, over several blocks", () => {
    for (const n of [1, 7, 64, 65, 150]) {
      const l = gaussianMatrix(n, n, n);
      for (let i = 0; i < n; i++) {
        l.data[i * n + i] = 4 + Math.sqrt(n);
        l.data.fill(0, i * n + i + 1, (i + 1) * n);
      }
      const b = gaussianMatrix(n, 9, 3);
      expect(distance(naiveProduct(l, solveLower(l, b)), b)).toBeLessThanOrEqual(50 * n * EPSILON);
      expect(distance(naiveProduct(transpose(l), solveLowerTransposed(l, b)), b)).toBeLessThanOrEqual(50 * n * EPSILON);
    }
  });

  it("a zero on the diagonal is BAD_TENSOR", () => {
    expect(() => solveLower(matrix(2, 2), identity(2))).toThrowError(expect.objectContaining({ code: "BAD_TENSOR" }));
  });
});

describe("qr", () => {
  it("Q R = A within 10 ε n, Q is orthonormal within 10 ε √m, R upper with a diagonal >= 0, tall, wide and square", () => {
    for (const [m, n] of [
      [1, 1],
      [50, 20],
      [20, 50],
      [40, 40],
      [129, 64],
    ]) {
      const a = gaussianMatrix(m, n, m);
      const { q, r } = qr(a);
      expect(distance(naiveProduct(q, r), a)).toBeLessThanOrEqual(10 * n * EPSILON);
      expect(unorthogonality(q)).toBeLessThanOrEqual(10 * Math.sqrt(m) * EPSILON);
      for (let i = 0; i < r.rows; i++) {
        expect(r.data[i * n + i]).toBeGreaterThanOrEqual(0);
        for (let j = 0; j < i; j++) expect(r.data[i * n + j]).toBe(0);
      }
    }
  });

  it("columns that repeat and columns of zeros leave Q orthonormal within 1e-14", () => {
    const a = gaussianMatrix(30, 6);
    for (let i = 0; i < 30; i++) {
      a.data[i * 6 + 3] = a.data[i * 6];
      a.data[i * 6 + 4] = 0;
    }
    const { q, r } = qr(a);
    expect(unorthogonality(q)).toBeLessThanOrEqual(1e-14);
    expect(distance(naiveProduct(q, r), a)).toBeLessThanOrEqual(1e-14);
  });
});
