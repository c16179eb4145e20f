import type { Op, Values } from "../../op.ts";
import { floatBound, SIZES } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomFloats } from "../seeded.ts";

export const ropeArgs = {
  x: "f32[]",
  cos: "f32[]",
  sin: "f32[]",
  y: "f32[] out",
  rows: "i32",
  heads: "i32",
  pairs: "i32",
  interleaved: "i32",
} as const;
type Args = typeof ropeArgs;

const call = (rows: number, heads: number, pairs: number, interleaved: number, seed: number): Values<Args> => {
  const angles = randomFloats(rows * pairs, seed, true);
  return {
    x: randomFloats(rows * heads * pairs * 2, seed + 1, true),
    cos: angles.map(Math.cos),
    sin: angles.map(Math.sin),
    y: new Float32Array(rows * heads * pairs * 2),
    ...{ rows, heads, pairs, interleaved },
  };
};

const FLOAT = 4;
const ELEMENTS_PER_NANOSECOND = 2;

/** Where the two numbers of pair i of one head lie. */
export const pairOf = (i: number, pairs: number, interleaved: number): [first: number, second: number] =>
  interleaved ? [2 * i, 2 * i + 1] : [i, pairs + i];

/**
 * Rotary position embedding: pairs of numbers turned by an angle of their position.
 *
 *     (y1, y2) = (x1 cos - x2 sin, x1 sin + x2 cos)
 *
 * x, y [rows, heads, 2 * pairs], which may be the same; cos and sin [rows, pairs]. A pair is the i-th number and the one
 * `pairs` after it, or the (2i)-th and (2i+1)-th where interleaved. Source: arXiv:2104.09864, eq. 34.
 */
export const rope: Op<Args> = {
  name: "rope",
  args: ropeArgs,
  lengths: ({ rows, heads, pairs }) => ({
    ...{ x: rows * heads * pairs * 2, y: rows * heads * pairs * 2 },
    ...{ cos: rows * pairs, sin: rows * pairs },
  }),
  tolerance: ({ x, cos, sin, rows, heads, pairs, interleaved }) => {
    const y = new Float64Array(x.length);
    for (let row = 0; row < rows; row++)
      for (let head = 0; head < heads; head++)
        for (let i = 0; i < pairs; i++) {
          const start = (row * heads + head) * pairs * 2;
          const [first, second] = pairOf(i, pairs, interleaved).map((at) => start + at) as [number, number];
          const [a, b] = [Math.abs(x[first]!), Math.abs(x[second]!)];
          const [c, s] = [Math.abs(cos[row * pairs + i]!), Math.abs(sin[row * pairs + i]!)];
          y[first] = floatBound(2, a * c + b * s);
          y[second] = floatBound(2, a * s + b * c);
        }
    return { y };
  },
  cases: function* (scope) {
    for (const pairs of scope === "load" ? [2, 9] : SIZES)
      for (const interleaved of [0, 1]) yield call(3, 2, pairs, interleaved, pairs);
  },
  sample: () => call(64, 12, 32, 0, 1),
  work: ({ rows, heads, pairs }) => (rows * heads * pairs) / ELEMENTS_PER_NANOSECOND,
  split: (v, parts) =>
    cut(v.rows, parts, 1).map(([start, rows]) => {
      const offset = start * v.heads * v.pairs * 2 * FLOAT;
      const angles = start * v.pairs * FLOAT;
      return { ...v, rows, x: v.x + offset, y: v.y + offset, cos: v.cos + angles, sin: v.sin + angles };
    }),
};
