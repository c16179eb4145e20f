import type { Op, Values } from "../../op.ts";
import { doubleBound, SIZES } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomDoubles } from "../seeded.ts";

export const update64Args = {
  a: "f64[] inout",
  v: "f64[]",
  w: "f64[]",
  u: "f64[]",
  p: "f64[] out",
  n: "i32",
  stride: "i32",
  from: "i32",
  to: "i32",
} as const;
type Args = typeof update64Args;

const call = (n: number, seed: number, more: Partial<Values<Args>> = {}): Values<Args> => {
  const stride = more.stride ?? n;
  return {
    a: randomDoubles(n * stride, seed),
    v: randomDoubles(n, seed + 1),
    w: randomDoubles(n, seed + 2),
    u: randomDoubles(n, seed + 3),
    p: new Float64Array(n),
    ...{ n, stride, from: 0, to: n, ...more },
  };
};

const TERMS_PER_NANOSECOND = 1.5;

/**
 * One step of a reduction to tridiagonal form, in one pass over the matrix:
 *
 *     A = A - v w' - w v'      p = A u      rows from..to
 *
 * a [n, n], rows `stride` elements apart; v, w, u, p [n].
 */
export const update64: Op<Args> = {
  name: "update64",
  args: update64Args,
  lengths: ({ n, stride }) => ({ a: n ? (n - 1) * stride + n : 0, v: n, w: n, u: n, p: n }),
  tolerance: ({ a, v, w, u, n, stride, from, to }) => {
    const [bounds, p] = [new Float64Array(a.length), new Float64Array(n)];
    for (let i = from; i < to; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++) {
        const size = Math.abs(a[i * stride + j]!) + Math.abs(v[i]! * w[j]!) + Math.abs(w[i]! * v[j]!);
        bounds[i * stride + j] = doubleBound(4, size);
        sum += size * Math.abs(u[j]!);
      }
      p[i] = doubleBound(n + 5, sum);
    }
    return { a: bounds, p };
  },
  cases: function* (scope) {
    for (const n of scope === "load" ? [1, 11] : SIZES) yield call(n, n, { stride: n + (n % 3) });
  },
  sample: () => call(144, 1),
  work: ({ n, from, to }) => (3 * n * (to - from)) / TERMS_PER_NANOSECOND,
  split: (v, parts) =>
    v.from !== 0 ? [v] : cut(v.to, parts, 4).map(([start, size]) => ({ ...v, from: start, to: start + size })),
};
