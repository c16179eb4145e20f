import type { Op, Values } from "../../op.ts";
import { SIZES } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomFloats } from "../seeded.ts";

export const transposeArgs = {
  x: "f32[]",
  y: "f32[] out",
  rows: "i32",
  columns: "i32",
  strideX: "i32",
  strideY: "i32",
} as const;
type Args = typeof transposeArgs;

const FLOAT = 4;
/** Edge of the squares that are turned at a time: they stay in the first cache. */
export const TILE = 32;
const NUMBERS_PER_NANOSECOND = 0.5;

const call = (rows: number, columns: number, seed: number): Values<Args> => ({
  x: randomFloats(rows * (columns + 2), seed, true),
  y: new Float32Array(columns * rows),
  ...{ rows, columns, strideX: columns + 2, strideY: rows },
});

/** A transposed matrix: y[j, i] = x[i, j]. x [rows, columns], y [columns, rows], rows strideX and strideY elements apart. */
export const transpose: Op<Args> = {
  name: "transpose",
  args: transposeArgs,
  lengths: ({ rows, columns, strideX, strideY }) => ({
    x: rows && columns ? (rows - 1) * strideX + columns : 0,
    y: rows && columns ? (columns - 1) * strideY + rows : 0,
  }),
  tolerance: "exact",
  cases: function* (scope) {
    for (const [i, rows] of (scope === "load" ? [1, 9] : [...SIZES, 70]).entries())
      for (const columns of scope === "load" ? [5] : SIZES) yield call(rows, columns, i);
  },
  sample: () => call(512, 512, 1),
  work: ({ rows, columns }) => (rows * columns) / NUMBERS_PER_NANOSECOND,
  split: (v, parts) =>
    cut(v.columns, parts, TILE).map(([start, columns]) => ({
      ...v,
      columns,
      x: v.x + start * FLOAT,
      y: v.y + start * v.strideY * FLOAT,
    })),
};
