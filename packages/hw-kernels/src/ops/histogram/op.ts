import type { Op, Values } from "../../op.ts";
import { SIZES } from "../bounds.ts";
import { randomFloats } from "../seeded.ts";

export const histogramArgs = {
  x: "f32[]",
  counts: "i32[] inout",
  count: "i32",
  bins: "i32",
  low: "f32",
  scale: "f32",
  absolute: "i32",
} as const;
type Args = typeof histogramArgs;

const NUMBERS_PER_NANOSECOND = 0.7;

const call = (count: number, bins: number, seed: number, more: Partial<Values<Args>> = {}): Values<Args> => ({
  x: randomFloats(count, seed, true),
  counts: Int32Array.from({ length: bins + 1 }, (_, i) => i),
  ...{ count, bins, low: -1, scale: Math.fround(bins / 2), absolute: 0, ...more },
});

/**
 * Adds numbers to a histogram: counts[clamp(floor((x - low) * scale), 0, bins - 1)] += 1, of |x| where `absolute`.
 *
 * x [count]; counts [bins + 1], the last for NaN. What lies outside counts in the first and last bin.
 */
export const histogram: Op<Args> = {
  name: "histogram",
  args: histogramArgs,
  lengths: ({ count, bins }) => ({ x: count, counts: bins + 1 }),
  tolerance: "exact",
  cases: function* (scope) {
    for (const count of scope === "load" ? [1, 13] : [0, ...SIZES])
      for (const absolute of [0, 1]) {
        yield call(count, 9, count, { absolute });
        const x = randomFloats(count, 5, true);
        for (const [i, edge] of [Number.NaN, Infinity, -Infinity].entries()) if (i < count) x[i * 3] = edge;
        yield call(count, 64, count, { absolute, x, low: 0.1, scale: 3 });
      }
  },
  sample: () => call(1 << 17, 2048, 1),
  work: ({ count }) => count / NUMBERS_PER_NANOSECOND,
};
