import type { Op, Values } from "../../op.ts";
import { SIZES } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomFloats } from "../seeded.ts";

export const fakeQuantArgs = {
  x: "f32[]",
  scales: "f32[]",
  zeros: "f32[]",
  y: "f32[] out",
  rows: "i32",
  columns: "i32",
  lowest: "f32",
  highest: "f32",
} as const;
type Args = typeof fakeQuantArgs;

const FLOAT = 4;
const NUMBERS_PER_NANOSECOND = 1;

const call = (rows: number, columns: number, seed: number, edge?: number): Values<Args> => {
  const x = randomFloats(rows * columns, seed, true);
  if (edge !== undefined && x.length) x[(seed * 7) % x.length] = edge;
  return {
    x,
    scales: Float32Array.from({ length: rows }, (_, i) => 2 ** -(i % 5) / 7),
    zeros: Float32Array.from({ length: rows }, (_, i) => (i % 3) - 1),
    y: new Float32Array(x.length),
    ...{ rows, columns, lowest: -8, highest: 7 },
  };
};

/**
 * What quantization leaves of numbers, in float32: y = (clamp(round(x / scale) + zero, lowest, highest) - zero) * scale.
 *
 * x, y [rows, columns]; scales and zeros, which are whole numbers, [rows]. Halves round to even; NaN stays.
 */
export const fakeQuant: Op<Args> = {
  name: "fake-quant",
  args: fakeQuantArgs,
  lengths: ({ rows, columns }) => ({ x: rows * columns, scales: rows, zeros: rows, y: rows * columns }),
  tolerance: "exact",
  cases: function* (scope) {
    for (const [i, columns] of (scope === "load" ? [1, 13] : SIZES).entries())
      for (const edge of [undefined, Number.NaN, Infinity, -Infinity]) yield call(6, columns, i, edge);
  },
  sample: () => call(64, 2048, 1),
  work: ({ rows, columns }) => (rows * columns) / NUMBERS_PER_NANOSECOND,
  split: (v, parts) =>
    cut(v.rows, parts, 1).map(([start, rows]) => ({
      ...v,
      rows,
      x: v.x + start * v.columns * FLOAT,
      y: v.y + start * v.columns * FLOAT,
      scales: v.scales + start * FLOAT,
      zeros: v.zeros + start * FLOAT,
    })),
};
