import { gaussian } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { type Calibrator, rangeOf } from "./calibrators.ts";
import { entropyCut } from "./entropy.ts";
import { emptyRange, updateRange } from "./histogram.ts";

const COUNT = 100_000;
/** Laplace numbers of scale 1: the difference of two exponentials, each the half sum of two squared Gaussians. */
const laplace = (): Float32Array => {
  const [a, b, c, d] = [1, 2, 3, 4].map((seed) => gaussian([COUNT], seed).data) as [
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

  it("cuts Laplace numbers by entropy inside their extremes, within 20 % of ACIQ's threshold", () => {
    const { low, high } = rangeOf(stats, "entropy");
    expect(low).toBeGreaterThan(stats.low);
    expect(high).toBeLessThan(stats.high);
    for (const end of [-low, high]) expect(Math.abs(end / 9.8968 - 1)).toBeLessThan(0.2);
  });

  it("cuts values of one sign by entropy as published, with 256 levels", () => {
    const relu = seen(values.map((v) => Math.max(0, v)));
    const bins = relu.counts.slice(relu.counts.length / 2, relu.counts.findLastIndex((count) => count > 0) + 1);
    bins[0] = bins[1]!;
    expect(rangeOf(relu, "entropy")).toEqual({ low: 0, high: entropyCut(bins, 256) * 2 ** relu.exponent });
  });

  it("has zero in every range", () => {
    const positive = seen(Float32Array.of(3, 4, 5));
    for (const calibrator of ["minmax", "moving-average", "mse", "entropy", { percentile: 99 }] as Calibrator[]) {
      const { low, high } = rangeOf(positive, calibrator);
      expect(low).toBeLessThanOrEqual(0);
      expect(high).toBeGreaterThanOrEqual(0);
    }
  });
});

describe("entropyCut", () => {
  /** The published algorithm, word for word, with lists. */
  const naive = (bins: readonly number[], levels: number): number => {
    const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
    let [best, least] = [bins.length, Number.POSITIVE_INFINITY];
    for (let i = levels; i <= bins.length; i++) {
      const p = bins.slice(0, i);
      p[i - 1]! += sum(bins.slice(i));
      const levelOf = (bin: number) => Math.floor((bin * levels) / i);
      const q = p.map((_, bin) => {
        if (bins[bin] === 0) return 0;
        const mates = bins.slice(0, i).filter((count, other) => levelOf(other) === levelOf(bin) && count > 0);
        return sum(mates) / mates.length;
      });
      const [pSum, qSum] = [sum(p), sum(q)];
      const kl = sum(
        p.map((value, bin) => (value > 0 ? (value / pSum) * Math.log(value / pSum / (q[bin]! / qSum)) : 0)),
      );
      if (kl <= least + 1e-12) [best, least] = [i, Math.min(kl, least)];
    }
    return best;
  };

  it("agrees with the published algorithm on histograms with tails, gaps and outliers", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const noise = gaussian([80], seed).data;
      const counts = Array.from(noise, (v, i) =>
        Math.max(0, Math.round(900 * Math.exp(-i / (4 + seed)) * (1 + 0.4 * v))),
      );
      counts[79] = seed;
      expect(entropyCut(Float64Array.from(counts), 16)).toBe(naive(counts, 16));
    }
  });

  it("keeps all bins where there are no more than levels", () => {
    expect(entropyCut(Float64Array.of(5, 3, 1), 4)).toBe(3);
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
    const stats = seen(Float32Array.of(-3.4e38, Number.NEGATIVE_INFINITY, -65504, -1, 2));
    expect([stats.low, stats.high, stats.masked]).toEqual([-1, 2, 3]);
  });

  it("averages extremes with nine tenths of the past", () => {
    expect(rangeOf(seen(Float32Array.of(10), Float32Array.of(20)), "moving-average").high).toBeCloseTo(11, 6);
  });
});
