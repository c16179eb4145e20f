import { gaussian } from "@espalier/core/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { balanceRows, kurtosis } from "./balance.ts";
import { dequantizeRows, type GridBits } from "./grid.ts";
import { quantizeRows } from "./quantize-rows.ts";

const rowSums = (a: Float32Array, w: Float32Array, rows: number, columns: number) =>
  Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let i = row * columns; i < (row + 1) * columns; i++) sum += a[i]! - w[i]!;
    return Math.abs(sum);
  });

describe("balanceRows", () => {
  it("leaves no row with a larger sum of errors, and moves no code by more than 1", () => {
    fc.assert(
      fc.property(
        fc.constantFrom<GridBits>(8, 6, 5, 4, 3, 2),
        fc.boolean(),
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: 1, max: 64 }),
        fc.nat(),
        (bits, symmetric, columns, blockSize, seed) => {
          const w = gaussian([3 * columns], seed).data;
          const grid = quantizeRows(w, 3, columns, { bits, symmetric, blockSize });
          const balanced = balanceRows(w, grid);
          const before = rowSums(dequantizeRows(grid), w, 3, columns);
          rowSums(dequantizeRows(balanced), w, 3, columns).forEach((sum, row) => {
            expect(sum).toBeLessThanOrEqual(before[row]! + 1e-4);
          });
          balanced.codes.forEach((code, i) => {
            expect(Math.abs(code - grid.codes[i]!)).toBeLessThanOrEqual(1);
          });
        },
      ),
    );
  });
  it("brings the sum of each row's errors under half a step on rows of 256 at 4 bits", () => {
    const w = gaussian([64 * 256], 3).data;
    const grid = quantizeRows(w, 64, 256, { bits: 4 });
    rowSums(dequantizeRows(balanceRows(w, grid)), w, 64, 256).forEach((sum, row) => {
      expect(sum).toBeLessThanOrEqual(Math.abs(grid.scales[row]!) * 0.5 + 1e-4);
    });
  });
  it("makes the output error of inputs with a mean at least 2 times smaller over 8 seeds, for at most 1.5 times the weights'", () => {
    const inputs = gaussian([256], 6).data.map((value) => Math.max(0, value + 1.5));
    const sums = { plain: 0, balanced: 0 };
    for (let seed = 1; seed <= 8; seed++) {
      const w = gaussian([64 * 256], seed).data;
      const grid = quantizeRows(w, 64, 256, { bits: 4 });
      const outputError = (back: Float32Array) => {
        let sum = 0;
        for (let row = 0; row < 64; row++) {
          let error = 0;
          for (let i = 0; i < 256; i++) error += (back[row * 256 + i]! - w[row * 256 + i]!) * inputs[i]!;
          sum += error * error;
        }
        return sum;
      };
      const weightError = (back: Float32Array) => back.reduce((sum, value, i) => sum + (value - w[i]!) ** 2, 0);
      const [plain, balanced] = [dequantizeRows(grid), dequantizeRows(balanceRows(w, grid))];
      sums.plain += outputError(plain);
      sums.balanced += outputError(balanced);
      expect(weightError(balanced)).toBeLessThan(weightError(plain) * 1.5);
    }
    expect(sums.balanced).toBeLessThan(sums.plain / 2);
  });
});

describe("kurtosis", () => {
  it("is 3 for a Gaussian within 5 %, n for one value among n, 1 for signs", () => {
    expect(Math.abs(kurtosis(gaussian([1 << 16], 1).data) / 3 - 1)).toBeLessThan(0.05);
    expect(kurtosis(Float32Array.of(0, 0, 5, 0))).toBe(4);
    expect(kurtosis(Float32Array.of(1, -1, 1, -1))).toBe(1);
    expect(kurtosis(new Float32Array(4))).toBe(0);
  });
});
