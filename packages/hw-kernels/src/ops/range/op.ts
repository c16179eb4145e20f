import type { Op, Values } from "../../op.ts";
import { SIZES } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomFloats } from "../seeded.ts";

export const rangeArgs = {
  x: "f32[]",
  least: "f32[] out",
  most: "f32[] out",
  rows: "i32",
  columns: "i32",
} as const;
type Args = typeof rangeArgs;

const FLOAT = 4;
const NUMBERS_PER_NANOSECOND = 4;

const call = (rows: number, columns: number, seed: number, edge?: number): Values<Args> => {
  const x = randomFloats(rows * columns, seed, true);
  if (edge !== undefined && x.length) x[(seed * 7) % x.length] = edge;
  return { x, least: new Float32Array(rows), most: new Float32Array(rows), rows, columns };
};

/**
 * The least and the greatest number of each row; NaN where a row has one, infinities of the wrong sign of an empty row.
 *
 * x [rows, columns], least and most [rows].
 */
export const range: Op<Args> = {
  name: "range",
  args: rangeArgs,
  lengths: ({ rows, columns }) => ({ x: rows * columns, least: rows, most: rows }),
  tolerance: "exact",
  cases: function* (scope) {
    const edges = [undefined, Number.NaN, Infinity, -Infinity, -0];
    for (const [i, columns] of (scope === "load" ? [0, 13] : [0, ...SIZES]).entries())
      for (const edge of edges) yield call(3, columns, i, edge);
  },
  sample: () => call(64, 4096, 1),
  work: ({ rows, columns }) => (rows * columns) / NUMBERS_PER_NANOSECOND,
  split: (v, parts) =>
    cut(v.rows, parts, 1).map(([start, rows]) => ({
      ...v,
      rows,
      x: v.x + start * v.columns * FLOAT,
      least: v.least + start * FLOAT,
      most: v.most + start * FLOAT,
    })),
};
