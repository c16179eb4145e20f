import { describe, expect, it } from "vitest";
import { createKernels, type Matrix } from "../index.ts";
import { randomDoubles, seeded } from "../ops/seeded.ts";

const hw = await createKernels({ threads: 1 });

const matrix = (rows: number, columns: number, data: ArrayLike<number>): Matrix => ({
  rows,
  columns,
  data: Float64Array.from(data),
});
const random = (rows: number, columns: number, seed = 1) => matrix(rows, columns, randomDoubles(rows * columns, seed));
const norm = ({ data }: { data: Float64Array }) => Math.sqrt(data.reduce((sum, x) => sum + x * x, 0));
const distance = (a: Matrix, b: Matrix) => norm({ data: a.data.map((x, i) => x - b.data[i]!) }) / (norm(b) || 1);
/** ‖Q'Q - I‖, all elements in one norm */
const unorthogonality = (q: Matrix) =>
  norm({ data: hw.matmul(q, q, { transposeA: true }).data.map((x, at) => x - (at % (q.columns + 1) === 0 ? 1 : 0)) });
const scaled = ({ data, ...rest }: Matrix, s: Float64Array): Matrix => ({
  ...rest,
  data: data.map((x, at) => x * s[at % rest.columns]!),
});
const normals = (seed: number) => {
  const uniform = seeded(seed);
  return { normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()) };
};
const decreasing = (values: Float64Array) => values.every((x, i) => i === 0 || x <= values[i - 1]!);

/** U diag(s) V' with random orthonormal U and V. */
const withSpectrum = (rows: number, columns: number, s: readonly number[]) => {
  const [u, v] = [hw.qr(random(rows, s.length, 5)).q, hw.qr(random(columns, s.length, 6)).q];
  return hw.matmul(scaled(u, Float64Array.from(s)), v, { transposeB: true });
};

const SHAPES = [
  [1, 1],
  [5, 3],
  [3, 5],
  [33, 32],
  [70, 65],
  [65, 130],
  [200, 40],
] as const;

describe("qr", () => {
  it("Q R = A and Q'Q = I within 1e-14 times the root of n, R upper with a diagonal that is not negative", () => {
    for (const [m, n] of SHAPES) {
      const a = random(m, n, m);
      const { q, r } = hw.qr(a);
      const bound = 1e-14 * Math.sqrt(n);
      expect(distance(hw.matmul(q, r), a)).toBeLessThanOrEqual(bound);
      expect(unorthogonality(q)).toBeLessThanOrEqual(bound);
      for (let i = 0; i < r.rows; i++) {
        expect(r.data[i * n + i]).toBeGreaterThanOrEqual(0);
        expect(r.data.subarray(i * n, i * n + i).every((x) => x === 0)).toBe(true);
      }
    }
  });

  it("Q is orthonormal where columns repeat or are zero", () => {
    const a = random(50, 6);
    for (let i = 0; i < 50; i++) {
      a.data[i * 6 + 3] = a.data[i * 6]!;
      a.data[i * 6 + 5] = 0;
    }
    const { q, r } = hw.qr(a);
    expect(unorthogonality(q)).toBeLessThanOrEqual(1e-14);
    expect(distance(hw.matmul(q, r), a)).toBeLessThanOrEqual(1e-14);
  });
});

describe("eigenSymmetric", () => {
  it("finds 2 - 2 cos(k pi / (n + 1)) of the second difference within 1e-14", () => {
    const n = 50;
    const a = matrix(n, n, new Float64Array(n * n));
    for (let i = 0; i < n; i++) {
      a.data[i * n + i] = 2;
      if (i > 0) a.data[i * n + i - 1] = -1;
    }
    for (let i = 1; i < n; i++) a.data[(i - 1) * n + i] = 77;
    const { values } = hw.eigenSymmetric(a);
    for (let k = 0; k < n; k++)
      expect(Math.abs(values[k]! - (2 - 2 * Math.cos(((n - k) * Math.PI) / (n + 1))))).toBeLessThanOrEqual(1e-14);
  });

  it("V diag(values) V' = A and V'V = I within 1e-13, largest first: random, diagonal, repeated, rank one, zero", () => {
    for (const a of [
      hw.gramMatrix(random(150, 130)),
      matrix(3, 3, [3, 0, 0, 0, 1, 0, 0, 0, 2]),
      hw.gramMatrix(random(1, 40)),
      matrix(4, 4, new Float64Array(16)),
      matrix(2, 2, [1, 5, 5, 1]),
      matrix(1, 1, [-7]),
    ]) {
      const { values, vectors } = hw.eigenSymmetric(a);
      expect(distance(hw.matmul(scaled(vectors, values), vectors, { transposeB: true }), a)).toBeLessThanOrEqual(1e-13);
      expect(unorthogonality(vectors)).toBeLessThanOrEqual(1e-13);
      expect(decreasing(values)).toBe(true);
    }
  });
});

describe("svd", () => {
  it("U S V' = A and both factors orthonormal within 1e-13: tall, wide, square, one row, one column", () => {
    for (const [m, n] of [...SHAPES, [1, 9], [9, 1]] as const) {
      const a = random(m, n, m);
      const { u, s, v } = hw.svd(a);
      expect(distance(hw.matmul(scaled(u, s), v, { transposeB: true }), a)).toBeLessThanOrEqual(1e-13);
      for (const q of [u, v]) expect(unorthogonality(q)).toBeLessThanOrEqual(1e-13);
      expect(decreasing(s)).toBe(true);
    }
  });

  it("recovers a spectrum from 1 down to 1e-10 to 1e-5 of each value, though A'A holds nothing below 1e-8", () => {
    const s = Array.from({ length: 21 }, (_, i) => 10 ** (-i / 2));
    const found = hw.svd(withSpectrum(40, 30, s));
    for (const [i, value] of s.entries()) expect(Math.abs(found.s[i]! - value) / value).toBeLessThanOrEqual(1e-5);
    expect(Math.max(...found.s.subarray(21))).toBeLessThanOrEqual(1e-14);
    expect(unorthogonality(found.u)).toBeLessThanOrEqual(1e-12);
  });

  it("keeps the factors orthonormal within 1e-12 for repeated columns, zeros, equal values, and sizes near 1e200", () => {
    const repeated = random(20, 5);
    for (let i = 0; i < 20; i++) repeated.data[i * 5 + 4] = repeated.data[i * 5]!;
    const large = random(8, 5);
    for (const a of [
      repeated,
      matrix(6, 4, new Float64Array(24)),
      withSpectrum(30, 10, new Array(10).fill(2)),
      matrix(4, 4, new Array(16).fill(1)),
      { ...large, data: large.data.map((x) => x * 1e200) },
    ]) {
      const { u, s, v } = hw.svd(a);
      const size = Math.max(...a.data.map(Math.abs)) || 1;
      const back = hw.matmul(
        scaled(
          u,
          s.map((x) => x / size),
        ),
        v,
        { transposeB: true },
      );
      expect(distance(back, { ...a, data: a.data.map((x) => x / size) })).toBeLessThanOrEqual(1e-13);
      for (const q of [u, v]) expect(unorthogonality(q)).toBeLessThanOrEqual(1e-12);
    }
  });

  it("refuses what is not finite", () => {
    for (const find of [hw.svd, hw.eigenSymmetric])
      expect(() => find(matrix(1, 1, [Number.NaN]))).toThrowError(expect.objectContaining({ code: "BAD_DATA" }));
  });
});

describe("randomizedSvd", () => {
  const s = Array.from({ length: 60 }, (_, i) => 1 / (1 + i));
  const a = withSpectrum(150, 90, s);
  const rank = 12;
  const best = Math.sqrt(s.slice(rank).reduce((sum, value) => sum + value * value, 0));
  const floats = { ...a, data: Float32Array.from(a.data) };

  it("states its error to 1e-6, of floats to 1e-5, within best² <= error² <= best² + residual²", () => {
    for (const given of [a, floats])
      for (const powers of [0, 1, 2]) {
        const {
          u,
          s: values,
          v,
          error,
          residual,
        } = hw.randomizedSvd(given, rank, normals(5), { oversample: 8, powers });
        const back = hw.matmul(scaled(u, values), v, { transposeB: true });
        const real = norm({ data: back.data.map((x, i) => x - a.data[i]!) });
        expect(Math.abs(error - real) / error).toBeLessThanOrEqual(given === a ? 1e-6 : 1e-5);
        expect(error).toBeGreaterThanOrEqual(best * (1 - 1e-6));
        expect(error ** 2).toBeLessThanOrEqual((best ** 2 + residual ** 2) * (1 + 1e-6));
        for (const q of [u, v]) expect(unorthogonality(q)).toBeLessThanOrEqual(1e-12);
        expect(decreasing(values)).toBe(true);
      }
  });

  it("the usual two powers and 16 directions more come within 0.1 % of the best error, neither is off by over 1 %", () => {
    expect(hw.randomizedSvd(floats, rank, normals(5)).error / best).toBeLessThanOrEqual(1.001);
    const rough = hw.randomizedSvd(floats, rank, normals(5), { oversample: 0, powers: 0 });
    expect(rough.error / best).toBeGreaterThanOrEqual(1.01);
  });

  it("a matrix of lower rank than asked for is found to 1e-6, its factors orthonormal", () => {
    const low = withSpectrum(100, 80, [3, 2, 1]);
    const { u, s: values, v, error } = hw.randomizedSvd(low, 20, normals(2));
    expect(error).toBeLessThanOrEqual(1e-6);
    expect([...values.subarray(0, 3)].map((x) => Math.round(x * 1e9) / 1e9)).toEqual([3, 2, 1]);
    for (const q of [u, v]) expect(unorthogonality(q)).toBeLessThanOrEqual(1e-12);
  });

  it("gives the same numbers for the same seed, and refuses ranks that the matrix has not", () => {
    const [x, y] = [hw.randomizedSvd(a, 3, normals(2)), hw.randomizedSvd(a, 3, normals(2))];
    expect(x.u.data).toEqual(y.u.data);
    for (const bad of [0, 1.5, 91])
      expect(() => hw.randomizedSvd(a, bad, normals(1))).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
  });
});
