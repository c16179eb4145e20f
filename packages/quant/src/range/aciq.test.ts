import { gaussian } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { aciqRows } from "../grid/aciq-rows.ts";
import { dequantizeRows } from "../grid/grid.ts";
import { correctMoments } from "../grid/moments.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { aciqThreshold, bitAllocation, clippedError } from "./aciq.ts";
import { rangeOf } from "./calibrators.ts";
import { emptyRange, updateRange } from "./histogram.ts";

const COUNT = 100_000;
const parts = [1, 2, 3, 4].map((seed) => gaussian([COUNT], seed).data) as [
  Float32Array,
  Float32Array,
  Float32Array,
  Float32Array,
];
const samples = {
  gauss: parts[0],
  laplace: parts[0].map((value, i) => (value ** 2 + parts[1][i]! ** 2 - parts[2][i]! ** 2 - parts[3][i]! ** 2) / 2),
};
/** Optima of 2 to 8 bits. Source: arXiv:1810.05723, table of section 2. */
const published = {
  laplace: [2.8307, 3.8972, 5.0286, 6.2048, 7.4131, 8.6456, 9.8968],
  gauss: [1.7106, 2.1516, 2.5591, 2.9362, 3.2869, 3.6151, 3.924],
};
const densities = ["laplace", "gauss"] as const;

describe("Q-11: ACIQ", () => {
  it.each(densities)("finds the seven published thresholds of %s, to 1e-3", (density) => {
    for (const [i, wanted] of published[density].entries())
      expect(Math.abs(aciqThreshold(i + 2, density) - wanted)).toBeLessThan(1e-3);
  });

  it.each(densities)(
    "predicts the squared error of %s over 1e5 places of its density, clipped and rounded, within 2 %",
    (density) => {
      for (const bits of [5, 6, 7]) {
        const alpha = aciqThreshold(bits, density);
        const step = (2 * alpha) / 2 ** bits;
        let [sum, total] = [0, 0];
        for (let i = 0; i < COUNT; i++) {
          const x = ((i + 1 / 2) / COUNT - 1 / 2) * 60;
          const weight = density === "gauss" ? Math.exp((-x * x) / 2) : Math.exp(-Math.abs(x));
          const level = Math.min(2 ** bits - 1, Math.max(0, Math.floor((x + alpha) / step)));
          const outside = Math.abs(x) > alpha;
          sum += weight * (outside ? (Math.abs(x) - alpha) ** 2 : (x + alpha - (level + 1 / 2) * step) ** 2);
          total += weight;
        }
        expect(Math.abs(sum / total / clippedError(alpha, bits, density) - 1)).toBeLessThan(0.02);
      }
    },
  );

  it("clips activations of either density near its threshold of 8 bits, and those of one sign at that of 9", () => {
    for (const density of densities) {
      const both = emptyRange();
      updateRange(both, samples[density]);
      const wanted = Math.min(both.high, aciqThreshold(8, density));
      expect(Math.abs(rangeOf(both, "aciq").high / wanted - 1)).toBeLessThan(0.03);
      const positive = emptyRange();
      updateRange(
        positive,
        samples[density].map((value) => Math.max(0, value)),
      );
      const { low, high } = rangeOf(positive, "aciq");
      expect(low).toBe(0);
      expect(Math.abs(high / Math.min(positive.high, aciqThreshold(9, density)) - 1)).toBeLessThan(0.03);
    }
  });

  it("gives equal ranges equal bits, and 8 times the range two more", () => {
    expect(bitAllocation([3, 3, 3], 4)).toEqual([4, 4, 4]);
    const [small, large] = bitAllocation([1, 8], 5) as [number, number];
    expect(large - small).toBe(2);
  });

  it("makes the mean and the norm of each block those of its weights, to 1e-6", () => {
    const w = gaussian([16 * 64], 9).data.map((value) => value + 0.2);
    for (const blockSize of [64, 16]) {
      const grid = quantizeRows(w, 16, 64, { bits: 3, symmetric: false, blockSize });
      const back = dequantizeRows(correctMoments(w, grid));
      for (let start = 0; start < w.length; start += blockSize) {
        const moments = (values: Float32Array) => {
          const own = Array.from(values.subarray(start, start + blockSize));
          const mean = own.reduce((a, b) => a + b, 0) / blockSize;
          return [mean, Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2, 0))] as const;
        };
        const [[mean, norm], [wantedMean, wantedNorm]] = [moments(back), moments(w)];
        expect(Math.abs(mean - wantedMean)).toBeLessThan(1e-6);
        expect(Math.abs(norm - wantedNorm)).toBeLessThan(1e-5 * wantedNorm);
      }
    }
  });

  it("loses less than grids of the extremes on rows of 4,096 Laplace numbers, at 2 to 4 bits", () => {
    const w = samples.laplace.subarray(0, 8 * 4096);
    for (const bits of [2, 3, 4] as const)
      for (const symmetric of [true, false]) {
        const lost = (back: Float32Array) => back.reduce((sum, value, i) => sum + (value - w[i]!) ** 2, 0);
        const own = lost(dequantizeRows(aciqRows(w, 8, 4096, { bits, symmetric })));
        expect(own).toBeLessThan(0.6 * lost(dequantizeRows(quantizeRows(w, 8, 4096, { bits, symmetric }))));
      }
  });
});
