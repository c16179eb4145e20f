import type { Op, Values } from "../../op.ts";
import { SIZES } from "../bounds.ts";
import { seeded } from "../seeded.ts";

export const bytePlanesArgs = {
  x: "u8[]",
  y: "u8[] out",
  count: "i32",
  size: "i32",
  back: "i32",
} as const;
type Args = typeof bytePlanesArgs;

const BYTES_PER_NANOSECOND = 2;

const call = (count: number, size: number, back: number): Values<Args> => {
  const random = seeded(count * 8 + size);
  return {
    x: Uint8Array.from({ length: count * size }, () => Math.floor(random() * 256)),
    y: new Uint8Array(count * size),
    ...{ count, size, back },
  };
};

/**
 * Numbers of `size` bytes as planes: all first bytes, then all second ones, and so on; back to numbers with `back`. General
 * compressors find more in planes, as exponents lie beside exponents.
 *
 *     y[b, i] = x[i, b]       x [count, size], y [size, count]; the other way round with `back`
 */
export const bytePlanes: Op<Args> = {
  name: "byte-planes",
  args: bytePlanesArgs,
  lengths: ({ count, size }) => ({ x: count * size, y: count * size }),
  tolerance: "exact",
  cases: function* (scope) {
    for (const count of scope === "load" ? [1, 17] : [0, ...SIZES])
      for (const size of [1, 2, 3, 4, 8]) for (const back of [0, 1]) yield call(count, size, back);
  },
  sample: () => call(1 << 16, 4, 0),
  work: ({ count, size }) => (count * size) / BYTES_PER_NANOSECOND,
};
