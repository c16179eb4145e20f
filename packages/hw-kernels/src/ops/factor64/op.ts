import type { Op, Values } from "../../op.ts";
import { doubleBound } from "../bounds.ts";
import { randomDoubles } from "../seeded.ts";

export const factor64Args = {
  a: "f64[] inout",
  done: "i32[] out",
  n: "i32",
  stride: "i32",
} as const;
type Args = typeof factor64Args;

/** What the condition of the matrices in the cases stays below. */
const CONDITION = 16;

/** A symmetric matrix whose diagonal dominates: between n / 2 and 3 n / 2 beside numbers below n / 2 in sum. */
const call = (n: number, seed: number, more: Partial<Values<Args>> = {}, bad?: [at: number, pivot: number]) => {
  const stride = more.stride ?? n;
  const a = randomDoubles(n * stride, seed);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) a[i * stride + j]! /= 2;
    a[i * stride + i] = n;
  }
  if (bad) a[bad[0] * stride + bad[0]] = bad[1];
  return { a, done: new Int32Array(1), n, stride };
};

/**
 * The Cholesky factor of a small matrix, in place: L with L L' = A, in the lower triangle; the upper one is not touched.
 *
 * a [n, n], rows `stride` elements apart. `done` is how many pivots were positive and finite: n, or fewer where A is not
 * positive definite, and then rows from there on are left as they are.
 */
export const factor64: Op<Args> = {
  name: "factor64",
  args: factor64Args,
  lengths: ({ n, stride }) => ({ a: n ? (n - 1) * stride + n : 0, done: 1 }),
  // Source: Higham, Accuracy and Stability, 10.8: by at most condition times n epsilon of the norm.
  tolerance: ({ a, n }) => {
    const bound = doubleBound(2 * n * CONDITION, Math.sqrt(Math.max(n, 1)));
    return { a: new Float64Array(a.length).fill(bound), done: [0] };
  },
  cases: function* (scope) {
    for (const n of scope === "load" ? [1, 7] : [1, 2, 3, 4, 5, 8, 17, 31, 32, 33]) {
      yield call(n, n);
      yield call(n, n + 1, { stride: n + 3 });
      for (const pivot of [0, -1, Number.NaN, Infinity]) yield call(n, n, {}, [n >> 1, pivot]);
    }
  },
  sample: () => call(32, 1),
  scratch: ({ n }) => n * Float64Array.BYTES_PER_ELEMENT,
};
