import type { Addresses, Op, Values } from "../../op.ts";
import { floatBound, SIZES } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomFloats } from "../seeded.ts";

export const gemvArgs = {
  w: "f32[]",
  x: "f32[]",
  bias: "f32[]",
  y: "f32[] inout",
  rows: "i32",
  columns: "i32",
  stride: "i32",
  transposed: "i32",
  alpha: "f32",
  beta: "f32",
  low: "f32",
  high: "f32",
} as const;
type Args = typeof gemvArgs;

const FLOAT = 4;
/** Rows that kernels take together; parts start at its multiples, so that sums run in the same order. */
export const GROUP = 4;
/** About 40 GB/s. */
const ELEMENTS_PER_NANOSECOND = 10;

const inputs = ({ rows, columns, transposed }: Values<Args> | Addresses<Args>) => (transposed ? rows : columns);
const outputs = ({ rows, columns, transposed }: Values<Args> | Addresses<Args>) => (transposed ? columns : rows);

/** Sizes, numbers and data that fit together. */
const call = (rows: number, columns: number, seed: number, more: Partial<Values<Args>> = {}): Values<Args> => {
  const values = { rows, columns, stride: columns, transposed: 0, alpha: 1, beta: 0, low: -Infinity, high: Infinity };
  const all = { ...values, bias: new Float32Array(), ...more };
  const [n, m] = all.transposed ? [rows, columns] : [columns, rows];
  return {
    w: randomFloats(rows * all.stride, seed, true),
    x: randomFloats(n, seed + 1, true),
    y: randomFloats(m, seed + 2),
    ...all,
  };
};

/**
 * A matrix times a vector.
 *
 *     y = clamp(alpha * op(W) x + beta * y + bias, low, high)      op(W) = W, or W' where transposed
 *
 * w [rows, stride], row by row, of which the first `columns` count; x and y as long as op(W) asks; bias like y, or empty.
 * Where beta is 0, y is not read. NaN is not clamped.
 */
export const gemv: Op<Args> = {
  name: "gemv",
  args: gemvArgs,
  lengths: (v) => ({
    w: v.rows && v.columns ? (v.rows - 1) * v.stride + v.columns : 0,
    x: inputs(v),
    y: outputs(v),
    bias: v.bias.length && outputs(v),
  }),
  // Each of the n products and sums rounds once; alpha, beta and bias add three roundings.
  tolerance: (v) => {
    const [n, m] = [inputs(v), outputs(v)];
    const [along, across] = v.transposed ? [v.stride, 1] : [1, v.stride];
    const y = Float64Array.from({ length: m }, (_, i) => {
      let sum = Math.abs(v.beta * (v.beta ? v.y[i]! : 0)) + Math.abs(v.bias[i] ?? 0);
      for (let k = 0; k < n; k++) sum += Math.abs(v.alpha * v.w[i * across + k * along]! * v.x[k]!);
      return floatBound(n + 3, sum);
    });
    return { y };
  },
  cases: function* (scope) {
    const sizes = scope === "load" ? [1, 7, 33] : SIZES;
    let seed = 1;
    for (const rows of sizes)
      for (const columns of sizes)
        for (const transposed of [0, 1]) {
          seed += 3;
          const outputCount = transposed ? columns : rows;
          yield call(rows, columns, seed, { transposed });
          yield call(rows, columns, seed, {
            transposed,
            stride: columns + 3,
            alpha: -0.5,
            beta: 2,
            low: -0.25,
            high: 0.5,
            bias: randomFloats(outputCount, seed),
          });
        }
  },
  sample: () => call(512, 512, 1),
  work: (v) => (v.rows * v.columns) / ELEMENTS_PER_NANOSECOND,
  split: (v, parts) => {
    return cut(outputs(v), parts, GROUP).map(([start, size]) => {
      const bias = v.bias && v.bias + start * FLOAT;
      const y = v.y + start * FLOAT;
      return v.transposed
        ? { ...v, bias, y, columns: size, w: v.w + start * FLOAT }
        : { ...v, bias, y, rows: size, w: v.w + start * v.stride * FLOAT };
    });
  },
};
