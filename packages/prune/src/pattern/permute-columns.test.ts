import { createRng } from "@espalier/core";
import { describe, expect, it } from "vitest";
import { dropByPattern } from "./nm.ts";
import { permuteColumns } from "./permute-columns.ts";

const columns = 16;
const own = Array.from({ length: columns }, (_, i) => i);
const scores = (seed: number, size: (column: number) => number) => {
  const rng = createRng(seed);
  return Float32Array.from({ length: 20 * columns }, (_, i) => Math.abs(rng.normal()) * size(i % columns));
};
const keptIn = (values: Float32Array, order: ArrayLike<number>) => {
  const drop = new Uint8Array(values.length);
  dropByPattern(values, columns, { keep: 2, of: 4 }, drop, order);
  return values.reduce((sum, value, i) => sum + (drop[i] ? 0 : value), 0);
};

describe("permuteColumns", () => {
  it("PL-04: gives an order of all columns in which 2:4 never keeps less than in their own", () => {
    for (let seed = 0; seed < 10; seed++) {
      const values = scores(seed, () => 1);
      const order = permuteColumns(values, columns, createRng(1));
      expect([...order].sort((a, b) => a - b)).toEqual(own);
      expect(keptIn(values, order)).toBeGreaterThan(keptIn(values, own));
    }
  });

  it("PL-04: where eight large columns stand side by side it keeps all of them, as the best order does", () => {
    const values = scores(11, (column) => (column < 8 ? 100 : 1)).map((value, i) =>
      i % columns < 8 ? 100 + value : Math.min(value, 1),
    );
    const order = permuteColumns(values, columns, createRng(2));
    const large = values.reduce((sum, value, i) => sum + (i % columns < 8 ? value : 0), 0);
    expect(keptIn(values, order) / large).toBeCloseTo(1, 5);
    expect(keptIn(values, own) / large).toBeLessThan(0.7);
  });
});
