import { gaussian } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { dequantizeRows, type Grid } from "./grid.ts";
import { quantizeRows } from "./quantize-rows.ts";

const [ROWS, COLUMNS] = [48, 256];

/** One scale for all, for each row, and for each group of 32. */
const grids = (w: Float32Array, bits: 8 | 4): Readonly<Record<"layer" | "channel" | "group", Grid>> => ({
  layer: quantizeRows(w, 1, w.length, { bits }),
  channel: quantizeRows(w, ROWS, COLUMNS, { bits }),
  group: quantizeRows(w, ROWS, COLUMNS, { bits, blockSize: 32 }),
});

const squaredSteps = ({ scales, columns, blockSize }: Grid) =>
  scales.reduce((sum, scale) => sum + scale ** 2 * Math.min(blockSize, columns), 0);
const squaredError = (w: Float32Array, grid: Grid) =>
  dequantizeRows(grid).reduce((sum, value, i) => sum + (value - w[i]!) ** 2, 0);

describe("Q-09: granularity", () => {
  it("group ≤ channel ≤ layer in the sum of squared steps, for every matrix", () => {
    for (let seed = 1; seed <= 20; seed++)
      for (const bits of [8, 4] as const) {
        const { layer, channel, group } = grids(gaussian([ROWS * COLUMNS], seed).data, bits);
        expect(squaredSteps(group)).toBeLessThanOrEqual(squaredSteps(channel));
        expect(squaredSteps(channel)).toBeLessThanOrEqual(squaredSteps(layer));
      }
  });

  it("group ≤ channel ≤ layer in squared error, on average over 20 matrices", () => {
    const sums = { layer: 0, channel: 0, group: 0 };
    for (let seed = 1; seed <= 20; seed++) {
      const w = gaussian([ROWS * COLUMNS], seed).data;
      for (const [name, grid] of Object.entries(grids(w, 4))) sums[name as keyof typeof sums] += squaredError(w, grid);
    }
    expect(sums.group).toBeLessThan(sums.channel);
    expect(sums.channel).toBeLessThan(sums.layer);
  });

  it("one scale a channel loses less than a tenth of what one for all does of rows that differ 100 times in size", () => {
    const w = gaussian([ROWS * COLUMNS], 3).data.map((v, i) => v * 100 ** (Math.floor(i / COLUMNS) / (ROWS - 1)));
    /** Squared error of each row in shares of its squares, summed. */
    const lost = (grid: Grid) => {
      const back = dequantizeRows(grid);
      let sum = 0;
      for (let start = 0; start < w.length; start += COLUMNS) {
        const row = w.subarray(start, start + COLUMNS);
        const error = row.reduce((total, value, i) => total + (back[start + i]! - value) ** 2, 0);
        sum += error / row.reduce((total, value) => total + value ** 2, 0);
      }
      return sum;
    };
    const { layer, channel } = grids(w, 8);
    expect(lost(channel)).toBeLessThan(lost(layer) / 10);
  });
});
