import type { Op, Values } from "../../op.ts";
import { type GridNumbers, gridArgs, grids, loadGrids, testWeights } from "./grid.ts";

export const quantizeBlocksArgs = {
  w: "f32[]",
  codes: "u8[] out",
  scales: "f32[] out",
  zeros: "u8[] out",
  blocks: "i32",
  blockSize: "i32",
  ...gridArgs,
} as const;
type Args = typeof quantizeBlocksArgs;

/** What block sizes are multiples of. */
export const BLOCK_STEP = 16;
/** What numbers of blocks are multiples of. */
export const BLOCKS_STEP = 4;

const ELEMENTS_PER_NANOSECOND = 1;

export const lengthOf = (count: number, nibbles: number): number => (nibbles ? count / 2 : count);

const call = (blocks: number, blockSize: number, grid: GridNumbers, seed: number, edge?: number): Values<Args> => ({
  w: testWeights(blocks * blockSize, seed, edge),
  codes: new Uint8Array(lengthOf(blocks * blockSize, grid.nibbles)),
  scales: new Float32Array(blocks),
  zeros: new Uint8Array(blocks),
  blocks,
  blockSize,
  ...grid,
});

/**
 * Blocks of weights on integer grids by rounding to nearest, one scale and zero point each, in float64:
 *
 *     lo = min(0, w)   hi = max(0, w)
 *     affine (mode 0):  scale = (hi - lo) / highest       zero = min(highest, round(-lo / scale))
 *     full (mode 1):    scale = extreme / -middle         zero = middle = (highest + 1) / 2
 *     narrow (mode 2):  scale = max|w| / (middle - 1)     zero = middle, and no code 0
 *     code = clamp(round(w * (1 / scale)) + zero)
 *
 * Halves round to even. Scales are rounded to float32 first, or, with `half`, to float16 where that has all its bits;
 * 0 becomes 1. A block that has a value which is not finite gets the scale NaN, the zero point 0 and codes 0.
 *
 * w [blocks, blockSize], codes the same in bytes, or with `nibbles` (highest 15) two in a byte, the first one low;
 * scales and zeros [blocks]; blockSize a multiple of 16, blocks one of 4.
 */
export const quantizeBlocks: Op<Args> = {
  name: "quantize-blocks",
  args: quantizeBlocksArgs,
  lengths: ({ blocks, blockSize, nibbles }) => ({
    w: blocks * blockSize,
    codes: lengthOf(blocks * blockSize, nibbles),
    scales: blocks,
    zeros: blocks,
  }),
  tolerance: "exact",
  cases: function* (scope) {
    const chosen = scope === "load" ? loadGrids : grids;
    for (const [i, grid] of chosen.entries()) {
      yield call(4, 32, grid, i);
      if (scope === "load") continue;
      yield call(8, 16, grid, i + 1);
      yield call(4, 48, grid, i + 2, i);
      yield call(12, 128, grid, i + 3, i + 1);
    }
  },
  sample: () => call(4096, 32, grids.find(({ nibbles }) => nibbles === 1)!, 1),
  work: ({ blocks, blockSize }) => (blocks * blockSize) / ELEMENTS_PER_NANOSECOND,
};
