import type { Op, Values } from "../../op.ts";
import { cut } from "../cut.ts";
import { randomFloats } from "../seeded.ts";

const args = <T extends "i8" | "i16">(type: T) =>
  ({
    x: "f32[]",
    codes: `${type}[] out`,
    scales: "f32[] out",
    sums: "i32[] out",
    m: "i32",
    k: "i32",
    stride: "i32",
    blockSize: "i32",
  }) as const;
export const quantizeActivationsArgs = { i8: args("i8"), i16: args("i16") } as const;
export type CodeType = keyof typeof quantizeActivationsArgs;
type Args = (typeof quantizeActivationsArgs)[CodeType];

/** The largest code. */
export const MOST = { i8: 127, i16: 32767 } as const;
/** Blocks with no greater magnitude count as zeros, so that 32767 divided by it is finite. */
export const SMALLEST = 2 ** -100;

const FLOAT = 4;
const ELEMENTS_PER_NANOSECOND = 2;

interface Sizes {
  readonly m: number;
  readonly k: number;
  readonly stride: number;
  readonly blockSize: number;
}
const blocksOf = ({ k, blockSize }: { k: number; blockSize: number }) => Math.ceil(k / blockSize);
const lengths = ({ m, k, stride, blockSize }: Sizes) => {
  const blocks = m * blocksOf({ k, blockSize });
  return { x: m && k ? (m - 1) * stride + k : 0, codes: blocks * blockSize, scales: blocks, sums: blocks };
};

const EDGES = [Infinity, -Infinity, Number.NaN, 2 ** -101, 2 ** -99, -(2 ** -149)];
const call = (type: CodeType, m: number, k: number, blockSize: number, seed: number, stride = k): Values<Args> => {
  const sizes = { m, k, stride, blockSize };
  const length = lengths(sizes);
  const x = randomFloats(length.x, seed, seed % 3 === 0);
  // a stretch of zeros and small numbers, and one value that is not finite
  if (seed % 2) x.fill(EDGES[(seed >> 1) % EDGES.length]!, x.length >> 1, (x.length >> 1) + (seed % 37));
  const codes = type === "i8" ? new Int8Array(length.codes) : new Int16Array(length.codes);
  return {
    ...{ x, codes, scales: new Float32Array(length.scales), sums: new Int32Array(length.sums) },
    ...sizes,
  } as Values<Args>;
};

const makeOp = <T extends CodeType>(type: T): Op<Args> => ({
  name: `quantize-activations-${type}`,
  args: quantizeActivationsArgs[type],
  lengths,
  tolerance: "exact",
  cases: function* (scope) {
    let seed = 1;
    for (const blockSize of scope === "load" ? [32] : [16, 32, 48, 128])
      for (const m of scope === "load" ? [2] : [1, 2, 5])
        for (const k of [1, 5, 31, 32, 64, 100]) {
          yield call(type, m, k, blockSize, seed++);
          if (scope === "all") yield call(type, m, k, blockSize, seed++, k + 3);
        }
  },
  sample: () => call(type, 16, 2048, 32, 6),
  scratch: ({ blockSize }) => blockSize * FLOAT,
  work: ({ m, k }) => (m * k) / ELEMENTS_PER_NANOSECOND,
  split: (v, parts) => {
    const blocks = blocksOf(v);
    const size = type === "i8" ? 1 : 2;
    return cut(v.m, parts, 1).map(([start, m]) => ({
      ...v,
      m,
      x: v.x + start * v.stride * FLOAT,
      codes: v.codes + start * blocks * v.blockSize * size,
      scales: v.scales + start * blocks * FLOAT,
      sums: v.sums + start * blocks * FLOAT,
    }));
  },
});

/**
 * Activations as whole numbers of 8 or 16 bits, one scale for each block of a row, all in float32:
 *
 *     scale = max|x| / most      code = round(x * (most / max|x|))      sum = the sum of the block's codes
 *
 * most = 127 or 32767; halves round to even. A block whose magnitudes are at most 2^-100 gets the scale 0 and codes 0; one
 * with a value that is not finite the scale NaN and codes 0.
 *
 * x [m, k], rows `stride` apart; codes [m, blocks, blockSize] with blocks = ceil(k / blockSize), zeros behind the row's
 * end; scales and sums [m, blocks]; blockSize a multiple of 16.
 */
export const quantizeActivations = { i8: makeOp("i8"), i16: makeOp("i16") } as const;
