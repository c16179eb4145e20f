import type { Op, Values } from "../../op.ts";
import { DEPTH_BLOCK, productScratch } from "../blocks/product.ts";
import { floatBound, SIZES } from "../bounds.ts";
import { randomFloats, seeded } from "../seeded.ts";

export const syrkArgs = {
  x: "f32[]",
  g: "f64[] inout",
  rows: "i32",
  columns: "i32",
  stride: "i32",
  from: "i32",
  to: "i32",
  alpha: "f64",
  beta: "f64",
  packed: "i32",
} as const;
type Args = typeof syrkArgs;

const gramLength = (columns: number, packed: number) => (packed ? (columns * (columns + 1)) / 2 : columns * columns);
/** Where element (i, j), j <= i, of G lies. */
export const gramAt = (i: number, j: number, columns: number, packed: number): number =>
  (packed ? (i * (i + 1)) / 2 : i * columns) + j;

const call = (rows: number, columns: number, seed: number, more: Partial<Values<Args>> = {}): Values<Args> => {
  const random = seeded(seed);
  const stride = more.stride ?? columns;
  return {
    x: randomFloats(rows * stride, seed, true),
    g: Float64Array.from({ length: gramLength(columns, more.packed ?? 0) }, () => random() - 0.5),
    ...{ rows, columns, stride, from: 0, to: columns, alpha: 1, beta: 0, packed: 0, ...more },
  };
};

/** About 40 GFLOP/s, two operations a term, half of the terms. */
const TERMS_PER_NANOSECOND = 40;
const CUT = 8;

/**
 * Gram matrices, as second-order calibration wants them.
 *
 *     G[from..to, :] = alpha * X[:, from..to]' X + beta * G[from..to, :], in columns 0..to, and mirrored
 *
 * x [rows, stride], of which the first `columns` count; g [columns, columns], symmetric, in float64, or with `packed` its
 * lower triangle row by row. All of it is made by from 0 to `columns`; other ranges make the part of it whose larger index
 * is in the range. Only g's lower triangle is read, and none of it where beta is 0. Sums run in float32 over 256 rows of
 * X, and in float64 from there on, so that the error does not grow with the number of rows.
 */
export const syrk: Op<Args> = {
  name: "syrk",
  args: syrkArgs,
  lengths: (v) => ({
    x: v.rows && v.columns ? (v.rows - 1) * v.stride + v.columns : 0,
    g: gramLength(v.columns, v.packed),
  }),
  tolerance: (v) => {
    const g = new Float64Array(v.g.length);
    for (let i = v.from; i < v.to; i++)
      for (let j = 0; j <= i; j++) {
        const at = gramAt(i, j, v.columns, v.packed);
        let sum = 0;
        for (let row = 0; row < v.rows; row++) sum += Math.abs(v.x[row * v.stride + i]! * v.x[row * v.stride + j]!);
        const rest = Math.abs(v.beta ? v.beta * v.g[at]! : 0) * 2 ** -50;
        const bound = Math.abs(v.alpha) * floatBound(Math.min(v.rows, DEPTH_BLOCK) + 1, sum) + rest;
        g[at] = bound;
        if (!v.packed) g[j * v.columns + i] = bound;
      }
    return { g };
  },
  cases: function* (scope) {
    let seed = 1;
    for (const [i, rows] of (scope === "load" ? [1, 9] : SIZES).entries())
      for (const columns of scope === "load" ? [1, 5, 18] : SIZES) {
        seed += 3;
        const more = i % 2 ? { alpha: 0.5, beta: 2, stride: columns + 3 } : {};
        yield call(rows, columns, seed, { ...more, packed: (seed >> 1) & 1 });
      }
    if (scope === "load") return;
    yield call(1030, 13, 5);
    yield call(530, 37, 5, { packed: 1, beta: 1 });
    yield call(300, 20, 6, { from: 8, to: 17, beta: 1, packed: 1 });
    yield call(0, 5, 7, { beta: 0.5, packed: 1 });
    yield call(300, 20, 6, { from: 8, to: 17, beta: 1 });
    yield call(0, 5, 7, { beta: 0.5 });
    yield call(3, 150, 8, { beta: 1 });
  },
  sample: () => call(256, 128, 1),
  scratch: ({ to, from, rows }) => productScratch(to! - from!, to!, rows!),
  work: (v) => (v.rows * (v.to ** 2 - v.from ** 2)) / TERMS_PER_NANOSECOND / 2,
  split: (v, parts) => {
    if (v.from !== 0) return [v];
    // Rows up to r hold r^2 / 2 elements: equal areas.
    const ends = Array.from({ length: parts }, (_, i) =>
      i === parts - 1 ? v.to : Math.min(v.to, Math.ceil((v.to * Math.sqrt((i + 1) / parts)) / CUT) * CUT),
    );
    return ends.map((to, i) => ({ ...v, from: i ? ends[i - 1]! : 0, to })).filter(({ from, to }) => from < to);
  },
};
