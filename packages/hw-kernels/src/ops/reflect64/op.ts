import type { Op, Values } from "../../op.ts";
import { doubleBound, SIZES } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomDoubles } from "../seeded.ts";

export const reflect64Args = {
  v: "f64[]",
  x: "f64[] inout",
  n: "i32",
  count: "i32",
  stride: "i32",
  beta: "f64",
} as const;
type Args = typeof reflect64Args;

const call = (n: number, count: number, seed: number, beta: number, stride = n): Values<Args> => ({
  v: randomDoubles(n, seed),
  x: randomDoubles(count * stride, seed + 1),
  ...{ n, count, stride, beta },
});

const TERMS_PER_NANOSECOND = 2;

/**
 * A Householder reflection of lines: x_j = x_j - beta (v . x_j) v.
 *
 * v [n]; x [count, n], lines `stride` elements apart.
 */
export const reflect64: Op<Args> = {
  name: "reflect64",
  args: reflect64Args,
  lengths: ({ n, count, stride }) => ({ v: n, x: n && count ? (count - 1) * stride + n : 0 }),
  tolerance: ({ v, x, n, count, stride, beta }) => {
    const bounds = new Float64Array(x.length);
    for (let j = 0; j < count; j++) {
      let size = 0;
      for (let i = 0; i < n; i++) size += Math.abs(v[i]! * x[j * stride + i]!);
      for (let i = 0; i < n; i++)
        bounds[j * stride + i] = doubleBound(n + 4, Math.abs(x[j * stride + i]!) + Math.abs(beta * v[i]!) * size);
    }
    return { x: bounds };
  },
  cases: function* (scope) {
    for (const n of scope === "load" ? [1, 13] : SIZES)
      for (const count of [1, 3]) yield call(n, count, n, 0.25, n + (n % 3));
  },
  sample: () => call(512, 64, 1, 0.01),
  work: ({ n, count }) => (2 * n * count) / TERMS_PER_NANOSECOND,
  split: (v, parts) => cut(v.count, parts, 1).map(([start, count]) => ({ ...v, count, x: v.x + start * v.stride * 8 })),
};
