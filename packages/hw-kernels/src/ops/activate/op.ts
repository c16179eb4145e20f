import type { Op, Values } from "../../op.ts";
import { SIZES } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomFloats } from "../seeded.ts";

export const activateArgs = { x: "f32[]", y: "f32[] out", count: "i32", kind: "i32" } as const;
type Args = typeof activateArgs;

/** The functions by number: what `kind` is. */
export const ACTIVATIONS = ["gelu", "geluTanh", "silu", "sigmoid"] as const;

const SPREAD = 12;
const SPECIAL = [0, -0, 1e-40, -1e-40, 88, -88, -87.34, 100, -100, 3e38, -3e38, Infinity, -Infinity, NaN];
const call = (count: number, kind: number, seed: number): Values<Args> => {
  const x = randomFloats(count, seed).map((value, i) => (i % 3 === 2 ? SPECIAL[i % SPECIAL.length]! : value * SPREAD));
  return { x, y: new Float32Array(count), count, kind };
};

const FLOAT = 4;
const ELEMENTS_PER_NANOSECOND = 1;
/** Abramowitz and Stegun 7.1.26 is within 1.5e-7 of erf; the rest is roundings. */
const ERROR = 2 ** -22;

/**
 * A function of each number.
 *
 *     0 gelu      x Phi(x),  Phi the normal distribution
 *     1 geluTanh  x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
 *     2 silu      x / (1 + exp(-x))
 *     3 sigmoid   1 / (1 + exp(-x))
 *
 * x, y [count], which may be the same. Within 2^-22 |x|, sigmoid within 2^-22.
 */
export const activate: Op<Args> = {
  name: "activate",
  args: activateArgs,
  lengths: ({ count }) => ({ x: count, y: count }),
  tolerance: ({ x, kind }) => ({
    y: Float64Array.from(x, (value) => (ACTIVATIONS[kind] === "sigmoid" ? ERROR : ERROR * Math.abs(value) + 2 ** -148)),
  }),
  cases: function* (scope) {
    for (const kind of ACTIVATIONS.keys())
      for (const count of scope === "load" ? [41] : SIZES) yield call(count, kind, count + kind);
  },
  sample: () => call(100_000, 0, 1),
  work: ({ count }) => count / ELEMENTS_PER_NANOSECOND,
  split: (v, parts) =>
    cut(v.count, parts, 4).map(([start, count]) => ({ ...v, count, x: v.x + start * FLOAT, y: v.y + start * FLOAT })),
};
