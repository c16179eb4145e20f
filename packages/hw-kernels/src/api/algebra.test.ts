import { describe, expect, it } from "vitest";
import { createKernels, type Matrix } from "../index.ts";
import { randomDoubles, randomFloats } from "../ops/seeded.ts";

const EPSILON = 2 ** -52;
const SIZES = [1, 2, 31, 32, 33, 64, 65, 130, 200];

const random = (rows: number, columns: number, seed = 1): Matrix => ({
  rows,
  columns,
  data: randomDoubles(rows * columns, seed),
});
const product = (a: Matrix, b: Matrix): Matrix => {
  const data = new Float64Array(a.rows * b.columns);
  for (let i = 0; i < a.rows; i++)
    for (let k = 0; k < a.columns; k++)
      for (let j = 0; j < b.columns; j++)
        data[i * b.columns + j]! += a.data[i * a.columns + k]! * b.data[k * b.columns + j]!;
  return { rows: a.rows, columns: b.columns, data };
};
const turned = ({ rows, columns, data }: Matrix): Matrix => ({
  rows: columns,
  columns: rows,
  data: Float64Array.from(data, (_, at) => data[(at % rows) * columns + Math.floor(at / rows)]!),
});
const norm = ({ data }: Matrix) => Math.hypot(...data);
const distance = (a: Matrix, b: Matrix) => norm({ ...a, data: a.data.map((x, i) => x - b.data[i]!) }) / (norm(b) || 1);
/** A lower triangle with a dominant diagonal, and NaN above it, which nobody may read. */
const triangle = (n: number) => {
  const l = random(n, n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) l.data[i * n + j]! /= n;
    l.data[i * n + i] = 1 + (i % 3);
    l.data.fill(Number.NaN, i * n + i + 1, (i + 1) * n);
  }
  return l;
};
const clean = (l: Matrix) => ({ ...l, data: l.data.map((x) => (Number.isNaN(x) ? 0 : x)) });

const hw = await createKernels({ threads: 1 });

describe("linear algebra in float64", () => {
  it("products equal plain loops within k epsilon, either side transposed", () => {
    const [a, b] = [random(37, 65), random(65, 41, 2)];
    const wanted = product(a, b);
    for (const transposeA of [false, true])
      for (const transposeB of [false, true]) {
        const found = hw.matmul(transposeA ? turned(a) : a, transposeB ? turned(b) : b, { transposeA, transposeB });
        expect([found.rows, found.columns]).toEqual([37, 41]);
        expect(distance(found, wanted)).toBeLessThanOrEqual(65 * EPSILON);
      }
  });

  it("a Gram matrix equals the product within m epsilon, symmetric to the last bit", () => {
    const a = random(130, 67);
    const gram = hw.gramMatrix(a);
    expect(distance(gram, product(turned(a), a))).toBeLessThanOrEqual(130 * EPSILON);
    expect(turned(gram).data).toEqual(gram.data);
  });

  it("L L' = A within n epsilon for sizes around the blocks, L lower, the upper triangle of A not read", () => {
    for (const n of SIZES) {
      const x = random(2 * n + 3, n, n);
      const a = product(turned(x), x);
      const given = a.data.map((value, at) => (at % n > Math.floor(at / n) ? Number.NaN : value));
      const l = hw.cholesky({ ...a, data: given })!;
      expect(distance(product(l, turned(l)), a)).toBeLessThanOrEqual((n + 1) * EPSILON);
      for (let i = 0; i < n; i++)
        expect(l.data.subarray(i * n + i + 1, (i + 1) * n).every((value) => value === 0)).toBe(true);
    }
  });

  it("a matrix that is not positive definite has no factor, wherever that shows", () => {
    for (const n of SIZES)
      for (const at of new Set([0, n >> 1, n - 1]))
        for (const pivot of [0, -1, Number.NaN]) {
          const data = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
          data[at * (n + 1)] = pivot;
          expect(hw.cholesky({ rows: n, columns: n, data })).toBeUndefined();
        }
  });

  it("solves and inverts triangles within 2 n epsilon, sizes around the blocks, reading nothing above the diagonal", () => {
    for (const n of SIZES) {
      const l = triangle(n);
      const b = random(n, 19, 3);
      const bound = 2 * (n + 1) * EPSILON;
      expect(distance(product(clean(l), hw.solveLower(l, b)), b)).toBeLessThanOrEqual(bound);
      expect(distance(product(turned(clean(l)), hw.solveLowerTransposed(l, b)), b)).toBeLessThanOrEqual(bound);
      const identity = product(clean(l), hw.invertLower(l));
      const errors = identity.data.map((value, at) => Math.abs(value - (at % (n + 1) === 0 ? 1 : 0)));
      expect(Math.max(...errors)).toBeLessThanOrEqual(bound);
    }
  });

  it("adds rows to a packed Gram matrix within 2^-16 of the sums of magnitudes, over 2,000 rows", () => {
    const [columns, count] = [37, 1000];
    const sum = new Float64Array((columns * (columns + 1)) / 2).fill(1);
    const parts = [randomFloats(count * columns, 1), randomFloats(count * columns, 2)];
    for (const x of parts) hw.gram(sum, x, count, columns);
    for (let i = 0, at = 0; i < columns; i++)
      for (let j = 0; j <= i; j++, at++) {
        let [exact, size] = [1, 1];
        for (const x of parts)
          for (let r = 0; r < count; r++) {
            const term = x[r * columns + i]! * x[r * columns + j]!;
            exact += term;
            size += Math.abs(term);
          }
        expect(Math.abs(sum[at]! - exact)).toBeLessThanOrEqual(2 ** -16 * size);
      }
  });

  it("threads change no bit", async () => {
    const two = await createKernels({ threads: 2, prefer: "simd" });
    const one = await createKernels({ threads: 1, prefer: "simd" });
    const x = random(240, 230);
    for (let i = 0; i < 2; i++) {
      const [a, b] = [one.gramMatrix(x), two.gramMatrix(x)];
      expect(b.data).toEqual(a.data);
      const [l, m] = [one.cholesky(a)!, two.cholesky(a)!];
      expect(m.data).toEqual(l.data);
      expect(two.invertLower(l).data).toEqual(one.invertLower(l).data);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    two.dispose();
  });

  it("refuses what does not fit", () => {
    const code = { code: "BAD_DATA" };
    expect(() => hw.matmul(random(2, 3), random(2, 3))).toThrowError(expect.objectContaining(code));
    expect(() => hw.cholesky(random(2, 3))).toThrowError(expect.objectContaining(code));
    expect(() => hw.solveLower(random(2, 2), random(3, 1))).toThrowError(expect.objectContaining(code));
    const zero = { rows: 1, columns: 1, data: new Float64Array(1) };
    expect(() => hw.invertLower(zero)).toThrowError(expect.objectContaining(code));
    expect(() => hw.gramMatrix({ rows: 2, columns: 2, data: new Float64Array(3) })).toThrowError(
      expect.objectContaining(code),
    );
  });
});
