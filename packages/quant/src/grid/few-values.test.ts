import { createRng } from "@espalier/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { binaryRows } from "./binary.ts";
import { fixedPointRows, fractionalBits, requantizeShift, saturatingAdd } from "./fixed-point.ts";
import { dequantizeRows, type GridBits, highestOf, middleOf } from "./grid.ts";
import { quantizeRows } from "./quantize-rows.ts";
import { ternaryRows } from "./ternary.ts";
import { dequantizeValues } from "./value-grid.ts";

const normals = (length: number, label: string): Float32Array => {
  const rng = createRng(3).fork(label);
  return Float32Array.from({ length }, () => rng.normal());
};

const meanSquare = (w: Float32Array, back: Float32Array): number =>
  w.reduce((sum, x, i) => sum + (x - back[i]!) ** 2, 0) / w.length;

describe("fixed point", () => {
  it("Q-18: errs by at most 2^(-n - 1) inside the range, and saturates outside", () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.constantFrom<GridBits>(8, 6, 4, 3),
        fc.integer({ min: -20, max: 20 }),
        (seed, bits, size) => {
          const w = normals(60, `fixed${seed}`).map((x) => x * 2 ** size);
          const grid = fixedPointRows(w, 3, 20, { bits });
          const back = dequantizeRows(grid);
          w.forEach((x, i) => {
            const step = grid.scales[Math.floor(i / 20)]!;
            expect(Number.isInteger(Math.log2(step))).toBe(true);
            const most = (highestOf(bits) - middleOf(bits)) * step;
            if (x <= most) expect(Math.abs(back[i]! - x)).toBeLessThanOrEqual(step / 2);
            else expect(back[i]).toBe(most);
          });
        },
      ),
    );
  });
  it("Q-18: n is 7 for values up to 1 in 8 bits, 6 just above, and a power of two falls on the end of the range", () => {
    expect([1, 1.0001, 0.5, 3, 4, 2 ** -30, 0].map((most) => fractionalBits(most, 8))).toEqual([7, 6, 8, 5, 5, 37, 0]);
  });
  it("Q-18: its power of two costs 0.9 to 4.3 times the squared error of a free scale", () => {
    for (let draw = 0; draw < 50; draw++) {
      const w = normals(512, `cost${draw}`).map((x) => x * (1 + draw / 50));
      const free = meanSquare(w, dequantizeRows(quantizeRows(w, 1, 512, { bits: 8, range: "narrow" })));
      const ratio = meanSquare(w, dequantizeRows(fixedPointRows(w, 1, 512, { bits: 8 }))) / free;
      expect(ratio).toBeGreaterThan(0.9);
      expect(ratio).toBeLessThan(4.3);
    }
  });
  it("Q-18: with one point for the tensor all steps are equal, and the error is no less", () => {
    const w = normals(256, "tensor").map((x, i) => x * 2 ** -Math.floor(i / 64));
    const [own, one] = [false, true].map((perTensor) => fixedPointRows(w, 4, 64, { bits: 6, perTensor }));
    expect(new Set(one!.scales).size).toBe(1);
    expect(new Set(own!.scales).size).toBeGreaterThan(1);
    expect(meanSquare(w, dequantizeRows(own!))).toBeLessThan(meanSquare(w, dequantizeRows(one!)));
  });
  it("Q-18: rescaling by a shift is what BigInt gives, and sums saturate", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.integer({ min: 0, max: 30 }),
        fc.constantFrom(8, 16, 32),
        (q, shift, bits) => {
          const half = shift > 0 ? 1n << BigInt(shift - 1) : 0n;
          const exact = (BigInt(q) + half) >> BigInt(shift);
          const [low, high] = [-(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n];
          const clamped = exact < low ? low : exact > high ? high : exact;
          expect(BigInt(requantizeShift(q, shift, bits))).toBe(clamped);
        },
      ),
    );
    expect([saturatingAdd(100, 100, 8), saturatingAdd(-100, -100, 8), saturatingAdd(3, -5, 8)]).toEqual([
      127, -128, -2,
    ]);
  });
});

describe("ternary weights", () => {
  it("Q-22: the scale is the least-squares one of its codes", () => {
    const w = normals(300, "ternary");
    const grid = ternaryRows(w, 3, 100);
    const least = meanSquare(w, dequantizeRows(grid));
    for (const factor of [0.9, 0.99, 1.01, 1.1])
      expect(meanSquare(w, dequantizeRows({ ...grid, scales: grid.scales.map((s) => s * factor) }))).toBeGreaterThan(
        least,
      );
  });
  it("Q-22: on a Gaussian errs by 0.192, less than 1 % above the best threshold", () => {
    const w = normals(1 << 17, "twn");
    const found = meanSquare(w, dequantizeRows(ternaryRows(w, 1, w.length)));
    expect(Math.abs(found / 0.1922 - 1)).toBeLessThan(0.01);
    let best = Number.POSITIVE_INFINITY;
    for (let threshold = 0.4; threshold < 0.8; threshold += 0.02) {
      const kept = w.filter((x) => Math.abs(x) > threshold);
      const alpha = kept.reduce((sum, x) => sum + Math.abs(x), 0) / kept.length;
      best = Math.min(
        best,
        meanSquare(
          w,
          w.map((x) => (Math.abs(x) > threshold ? Math.sign(x) * alpha : 0)),
        ),
      );
    }
    expect(found).toBeGreaterThanOrEqual(best);
    expect(found / best).toBeLessThan(1.01);
  });
  it("Q-22: a block of zeros stays zeros", () => {
    expect([...dequantizeRows(ternaryRows(new Float32Array(8), 1, 8))]).toEqual(Array(8).fill(0));
  });
});

describe("binary weights", () => {
  it("Q-04: are the signs times the mean magnitude, which is the least-squares scale", () => {
    const w = normals(200, "binary");
    const grid = binaryRows(w, 2, 100);
    const back = dequantizeValues(grid);
    w.forEach((x, i) => {
      expect(Math.sign(back[i]!)).toBe(x >= 0 ? 1 : -1);
    });
    const least = meanSquare(w, back);
    for (const factor of [0.95, 1.05])
      expect(meanSquare(w, dequantizeValues({ ...grid, scales: grid.scales.map((s) => s * factor) }))).toBeGreaterThan(
        least,
      );
    expect([...dequantizeValues(binaryRows(Float32Array.of(-0.3, 0, 2), 1, 3, { scale: "one" }))]).toEqual([-1, 1, 1]);
  });
  it("Q-04: rounded at random have the weight as their expectation, to 0.02 over 20,000 draws", () => {
    const w = Float32Array.of(-1, -0.6, 0, 0.25, 1, 1.7);
    const sums = new Float64Array(w.length);
    const rng = createRng(4);
    const draws = 20000;
    for (let draw = 0; draw < draws; draw++)
      dequantizeValues(binaryRows(w, 1, w.length, { scale: "one", rng })).forEach((x, i) => {
        sums[i]! += x / draws;
      });
    w.forEach((x, i) => {
      expect(Math.abs(sums[i]! - Math.min(1, x))).toBeLessThan(0.02);
    });
  });
});
