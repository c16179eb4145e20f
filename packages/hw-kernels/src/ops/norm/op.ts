import type { Op, Values } from "../../op.ts";
import { SIZES } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomFloats } from "../seeded.ts";

export const normArgs = {
  x: "f32[]",
  gain: "f32[]",
  bias: "f32[]",
  y: "f32[] out",
  rows: "i32",
  columns: "i32",
  centered: "i32",
  epsilon: "f32",
} as const;
type Args = typeof normArgs;

const call = (rows: number, columns: number, seed: number, more: Partial<Values<Args>>, offset = 0): Values<Args> => ({
  x: randomFloats(rows * columns, seed, true).map((x) => (Math.abs(x) > 1e4 ? 3 : x) + offset),
  y: new Float32Array(rows * columns),
  ...{ gain: new Float32Array(), bias: new Float32Array(), centered: 1, epsilon: 1e-5 },
  ...{ rows, columns, ...more },
});

const FLOAT = 4;
const ELEMENTS_PER_NANOSECOND = 2;
const STEP = 2 ** -23;
/** Sums run in so many parts. */
const PARTS = 16;

/**
 * Normalization of each row.
 *
 *     layer (centered 1):  y = (x - mean) / sqrt(variance + epsilon) * gain + bias
 *     RMS   (centered 0):  y = x / sqrt(mean of x^2 + epsilon) * gain + bias
 *
 * x, y [rows, columns], which may be the same; gain and bias [columns] or empty. Source: arXiv:1607.06450, eq. 3 and 4;
 * arXiv:1910.07467, eq. 4.
 */
export const norm: Op<Args> = {
  name: "norm",
  args: normArgs,
  lengths: ({ rows, columns, gain, bias }) => ({
    ...{ x: rows * columns, y: rows * columns },
    ...{ gain: gain.length && columns, bias: bias.length && columns },
  }),
  // How far the mean may be off moves every element, and the spread by its square.
  tolerance: (v) => {
    const y = new Float64Array(v.rows * v.columns);
    const roundings = (v.columns / PARTS + 12) * STEP;
    for (let i = 0; i < v.rows; i++) {
      const row = Array.from(v.x.subarray(i * v.columns, (i + 1) * v.columns));
      const average = (f: (x: number) => number) => row.reduce((sum, x) => sum + f(x), 0) / v.columns;
      const mean = v.centered ? average((x) => x) : 0;
      const meanError = v.centered ? roundings * average(Math.abs) : 0;
      const variance = average((x) => (x - mean) ** 2) + v.epsilon;
      const spreadError = roundings + meanError ** 2 / variance + (meanError / Math.sqrt(variance)) * STEP;
      for (const [j, x] of row.entries()) {
        const gain = Math.abs(v.gain[j] ?? 1) / Math.sqrt(variance);
        const size = gain * Math.abs(x - mean);
        y[i * v.columns + j] =
          gain * meanError + size * spreadError + STEP * (2 * size + Math.abs(v.bias[j] ?? 0)) + 2 ** -140;
      }
    }
    return { y };
  },
  cases: function* (scope) {
    for (const columns of scope === "load" ? [3, 37] : SIZES)
      for (const centered of [0, 1]) {
        const more = { gain: randomFloats(columns, columns), bias: randomFloats(columns, columns + 1) };
        yield call(2, columns, columns, { centered });
        yield call(3, columns, columns + 1, { centered, ...more }, 7);
        yield call(1, columns, columns + 2, { centered, epsilon: 1e-6, x: new Float32Array(columns).fill(3) });
        yield call(1, columns, columns + 2, { centered, x: new Float32Array(columns) });
      }
    if (scope === "all") yield call(2, 770, 5, {});
  },
  sample: () => call(64, 768, 1, {}),
  work: ({ rows, columns }) => (rows * columns) / ELEMENTS_PER_NANOSECOND,
  split: (v, parts) =>
    cut(v.rows, parts, 1).map(([start, rows]) => {
      const offset = start * v.columns * FLOAT;
      return { ...v, rows, x: v.x + offset, y: v.y + offset };
    }),
};
