import type { Op, Values } from "../../op.ts";
import { SIZES } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomFloats } from "../seeded.ts";

export const softmaxArgs = { x: "f32[]", y: "f32[] out", rows: "i32", columns: "i32", scale: "f32" } as const;
type Args = typeof softmaxArgs;

const call = (
  rows: number,
  columns: number,
  seed: number,
  factor: number,
  scale: number,
  offset = 0,
): Values<Args> => ({
  x: randomFloats(rows * columns, seed).map((x, i) => (i % 11 === 10 ? -Infinity : x * factor + offset)),
  y: new Float32Array(rows * columns),
  ...{ rows, columns, scale },
});

const FLOAT = 4;
const ELEMENTS_PER_NANOSECOND = 1;
const STEP = 2 ** -23;

/**
 * Shares that sum to 1, row by row.
 *
 *     y[i, j] = exp(scale x[i, j] - m) / sum over j of exp(scale x[i, j] - m),  m the row's largest scale x
 *
 * x, y [rows, columns], which may be the same; scale is positive. A row of nothing but minus infinity gives NaN.
 */
export const softmax: Op<Args> = {
  name: "softmax",
  args: softmaxArgs,
  lengths: ({ rows, columns }) => ({ x: rows * columns, y: rows * columns }),
  // The exponent rounds to its own size, the exponential and each of the sums to theirs.
  tolerance: ({ x, rows, columns, scale }) => {
    const y = new Float64Array(rows * columns);
    for (let i = 0; i < rows; i++) {
      const row = Array.from(x.subarray(i * columns, (i + 1) * columns), (value) => value * scale);
      const most = Math.max(...row);
      const size = Math.max(...row.map((value) => (value === -Infinity ? 0 : Math.abs(value))));
      const sum = row.reduce((total, value) => total + Math.exp(value - most), 0);
      for (const [j, value] of row.entries())
        y[i * columns + j] = (Math.exp(value - most) / sum) * (3 * size + columns + 12) * STEP + 2 ** -125;
    }
    return { y };
  },
  cases: function* (scope) {
    for (const columns of scope === "load" ? [5, 34] : SIZES) {
      yield call(3, columns, columns, 1, 1);
      yield call(2, columns, columns + 1, 50, 0.125);
      yield call(1, columns, columns + 2, 80, 2, -900);
    }
  },
  sample: () => call(64, 1024, 1, 5, 1),
  work: ({ rows, columns }) => (rows * columns) / ELEMENTS_PER_NANOSECOND,
  split: (v, parts) =>
    cut(v.rows, parts, 1).map(([start, rows]) => {
      const offset = start * v.columns * FLOAT;
      return { ...v, rows, x: v.x + offset, y: v.y + offset };
    }),
};
