import { describe, expect, it } from "vitest";
import { gaussian } from "../testing/tiny.ts";
import { type Calibrator, rangeOf } from "./calibrators.ts";
import { emptyRange, updateRange } from "./histogram.ts";

const COUNT = 100_000;
/** Laplace numbers of scale 1: the difference of two exponentials, each the half sum of two squared Gaussians. */
const laplace = (): Float32Array => {
  const [a, b, c, d] = [1, 2, 3, 4].map((seed) => gaussian(COUNT, seed)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  return Float32Array.from(a, (value, i) => (value ** 2 + b[i]! ** 2 - c[i]! ** 2 - d[i]! ** 2) / 2);
};

const seen = (...batches: Float32Array[]) => {
  const stats = emptyRange();
  for (const batch of batches) updateRange(stats, batch);
  return stats;
};

describe("rangeOf", () => {
  const values = laplace();
  const stats = seen(values);

  it("gives the extremes by minmax and at percentile 100", () => {
    const extremes = { low: Math.min(...values.subarray(0, COUNT)), high: Math.max(...values) };
    expect(rangeOf(stats, "minmax")).toEqual(extremes);
    expect(rangeOf(stats, { percentile: 100 })).toEqual(extremes);
  });

  it("leaves the asked share of values outside at percentile 99", () => {
    const { low, high } = rangeOf(stats, { percentile: 99 });
    const outside = values.filter((value) => value < low || value > high).length / COUNT;
    expect(outside).toBeGreaterThan(0.008);
    expect(outside).toBeLessThan(0.0101);
  });

  it("finds ACIQ's threshold of 9.8968 scales on Laplace numbers by MSE, within 10 %", () => {
    const { low, high } = rangeOf(stats, "mse");
    for (const end of [-low, high]) {
      expect(end).toBeGreaterThan(9.8968 * 0.9);
      expect(end).toBeLessThan(9.8968 * 1.1);
    }
  });

  it("has zero in every range", () => {
    const positive = seen(Float32Array.of(3, 4, 5));
    for (const calibrator of ["minmax", "moving-average", "mse", { percentile: 99 }] as Calibrator[]) {
      const { low, high } = rangeOf(positive, calibrator);
      expect(low).toBeLessThanOrEqual(0);
      expect(high).toBeGreaterThanOrEqual(0);
    }
  });
});

describe("updateRange", () => {
  it("gives the same histogram however the data is cut into batches", () => {
    const values = laplace();
    const [one, many] = [seen(values), seen(values.subarray(0, 7), values.subarray(7, 5000), values.subarray(5000))];
    expect(many.counts).toEqual(one.counts);
    expect(many.exponent).toBe(one.exponent);
  });

  it("keeps masks out of the range", () => {
    const stats = seen(Float32Array.of(-3.4e38, Number.NEGATIVE_INFINITY, -1, 2));
    expect([stats.low, stats.high, stats.masked]).toEqual([-1, 2, 2]);
  });

  it("averages extremes with nine tenths of the past", () => {
    expect(rangeOf(seen(Float32Array.of(10), Float32Array.of(20)), "moving-average").high).toBeCloseTo(11, 6);
  });
});
