import type { Op, Values } from "../../op.ts";
import { doubleBound, SIZES } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomDoubles, seeded } from "../seeded.ts";

export const rotate64Args = {
  x: "f64[] inout",
  c: "f64[]",
  s: "f64[]",
  count: "i32",
  columns: "i32",
  stride: "i32",
} as const;
type Args = typeof rotate64Args;

const call = (count: number, columns: number, seed: number, stride = columns): Values<Args> => {
  const random = seeded(seed);
  const angles = Float64Array.from({ length: count }, () => 7 * random());
  return {
    x: randomDoubles((count + 1) * stride, seed),
    c: angles.map(Math.cos),
    s: angles.map(Math.sin),
    ...{ count, columns, stride },
  };
};

const ELEMENTS_PER_NANOSECOND = 1;
const CUT = 16;

/**
 * A chain of plane rotations of neighbouring rows, the last pair first, as a step of QL iterations makes them:
 *
 *     (x_i, x_i+1) <- (c_i x_i - s_i x_i+1, s_i x_i + c_i x_i+1)      i = count - 1 down to 0
 *
 * x [count + 1, columns], rows `stride` elements apart; c, s [count].
 */
export const rotate64: Op<Args> = {
  name: "rotate64",
  args: rotate64Args,
  lengths: ({ count, columns, stride }) => ({ x: count && columns ? count * stride + columns : 0, c: count, s: count }),
  // each element is what rotations leave of a column, whose size they do not change
  tolerance: ({ x, count, columns, stride }) => {
    const bounds = new Float64Array(x.length);
    for (let j = 0; j < columns; j++) {
      let size = 0;
      for (let i = 0; i <= count; i++) size = Math.hypot(size, x[i * stride + j]!);
      for (let i = 0; i <= count; i++) bounds[i * stride + j] = doubleBound(4 * count, size);
    }
    return { x: bounds };
  },
  cases: function* (scope) {
    for (const [i, columns] of (scope === "load" ? [1, 18] : SIZES).entries())
      yield call([1, 2, 9, 30][i % 4]!, columns, i, columns + (i % 3));
  },
  sample: () => call(144, 144, 1),
  work: ({ count, columns }) => (count * columns) / ELEMENTS_PER_NANOSECOND,
  split: (v, parts) => cut(v.columns, parts, CUT).map(([start, columns]) => ({ ...v, columns, x: v.x + start * 8 })),
};
