import { createRng } from "@espalier/core";
import { cholesky, gramMatrix, type Matrix, matmul, matrix, squaredNorm, svd } from "@espalier/core/linalg";
import { describe, expect, it } from "vitest";
import { type Metric, weightedSvd } from "./weighted-svd.ts";

const gaussian = (rows: number, columns: number, seed: number): Matrix => {
  const rng = createRng(seed);
  return matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => rng.normal()),
  );
};

const rest = (
  w: Matrix,
  { up, down, rank }: { up: ArrayLike<number>; down: ArrayLike<number>; rank: number },
): Matrix => {
  const product = matmul(matrix(w.rows, rank, up), matrix(rank, w.columns, down));
  return { ...w, data: w.data.map((value, i) => value - product.data[i]) };
};

const w = gaussian(24, 16, 1);
const x = gaussian(100, 16, 2);
const l = cholesky(gramMatrix(x))!;
const outputError = (difference: Matrix) => squaredNorm(matmul(x, difference, { transposeB: true }));

describe("weightedSvd", () => {
  it("R-01: error² is the sum of the discarded s_i² to 1e-8, and 0 at full rank to 1e-12 of ‖W‖²", () => {
    const { s } = svd(w);
    const spectral = weightedSvd(w, {}, 16);
    for (const rank of [1, 4, 11]) {
      const expected = s.slice(rank).reduce((sum, value) => sum + value * value, 0);
      expect(Math.abs(spectral.errors[rank] - expected)).toBeLessThanOrEqual(1e-8 * expected);
      // the factors are float32: their own rounding adds a few 2^-24
      expect(Math.abs(squaredNorm(rest(w, spectral.factors(rank))) / expected - 1)).toBeLessThanOrEqual(1e-6);
    }
    expect(squaredNorm(rest(w, spectral.factors(16)))).toBeLessThanOrEqual(1e-12 * squaredNorm(w));
  });

  it("R-01: no random pair of rank 4, with its second factor by least squares, has a smaller error", () => {
    const best = weightedSvd(w, {}, 4).errors[4];
    for (let seed = 10; seed < 30; seed++) {
      const basis = svd(gaussian(24, 4, seed)).u;
      const down = matmul(basis, w, { transposeA: true });
      expect(squaredNorm(rest(w, { up: basis.data, down: down.data, rank: 4 }))).toBeGreaterThan(best);
    }
  });

  it("R-05: whitened by a Cholesky factor, the change of the output ‖(W - W_r) Xᵀ‖² is the sum of the discarded s_i² to 1e-6", () => {
    const spectral = weightedSvd(w, { right: l }, 16);
    for (const rank of [1, 5, 12])
      expect(Math.abs(outputError(rest(w, spectral.factors(rank))) / spectral.errors[rank] - 1)).toBeLessThanOrEqual(
        1e-6,
      );
  });

  it("R-05: no other metric's factors of a rank change the output less, and by L = I it is plain SVD", () => {
    const size = Float64Array.from({ length: 16 }, (_, j) => 1 + (j % 3));
    const metrics: Metric[] = [{}, { right: size }, { left: Float64Array.from({ length: 24 }, (_, i) => 1 + (i % 2)) }];
    for (const rank of [2, 6]) {
      const best = outputError(rest(w, weightedSvd(w, { right: l }, rank).factors(rank)));
      for (const metric of metrics)
        expect(outputError(rest(w, weightedSvd(w, metric, rank).factors(rank)))).toBeGreaterThan(best);
    }
    const ones = weightedSvd(w, { right: new Float64Array(16).fill(1), left: new Float64Array(24).fill(1) }, 3);
    expect(ones.factors(3)).toEqual(weightedSvd(w, {}, 3).factors(3));
  });

  it("R-03, R-04: diagonal weights on either side give the error ‖diag(left) (W - W_r) diag(right)‖² to 1e-6", () => {
    const left = Float64Array.from({ length: 24 }, (_, i) => 0.5 + (i % 5));
    const right = Float64Array.from({ length: 16 }, (_, j) => 0.1 + (j % 7));
    for (const metric of [{ left }, { right }, { left, right }] as Metric[]) {
      const spectral = weightedSvd(w, metric, 5);
      const difference = rest(w, spectral.factors(5));
      const scaled = difference.data.map(
        (value, at) => value * (metric.left ? left[Math.floor(at / 16)] : 1) * (metric.right ? right[at % 16] : 1),
      );
      expect(Math.abs(squaredNorm({ data: scaled }) / spectral.errors[5] - 1)).toBeLessThanOrEqual(1e-6);
    }
  });

  it("a matrix of zeros and one of rank 1 give finite factors that reproduce it", () => {
    const one = matmul(gaussian(6, 1, 3), gaussian(1, 5, 4));
    for (const given of [matrix(6, 5), one]) {
      const { up, down } = weightedSvd(given, {}, 3).factors(3);
      expect([...up, ...down].every(Number.isFinite)).toBe(true);
      expect(squaredNorm(rest(given, { up, down, rank: 3 }))).toBeLessThanOrEqual(1e-12 * (squaredNorm(given) + 1e-30));
    }
  });
});
