import type { Op, Values } from "../../op.ts";
import { type GridNumbers, gridArgs, grids, loadGrids, testWeights } from "../quantize-blocks/grid.ts";
import { lengthOf } from "../quantize-blocks/op.ts";

export const quantizeColumnsArgs = {
  w: "f32[]",
  codes: "u8[] out",
  scales: "f32[] out",
  zeros: "u8[] out",
  k: "i32",
  n: "i32",
  stride: "i32",
  blockSize: "i32",
  ...gridArgs,
} as const;
type Args = typeof quantizeColumnsArgs;

/** What k and block sizes are multiples of. */
export const DEPTH_STEP = 8;
/** What numbers of columns are multiples of. */
export const COLUMNS_STEP = 4;

const ELEMENTS_PER_NANOSECOND = 1;

const sizes = (v: { k: number; n: number; stride: number; blockSize: number; nibbles: number }) => {
  const blocks = v.n * Math.ceil(v.k / v.blockSize);
  return { w: (v.k - 1) * v.stride + v.n, codes: lengthOf(v.n * v.k, v.nibbles), scales: blocks, zeros: blocks };
};

const call = (
  k: number,
  n: number,
  blockSize: number,
  grid: GridNumbers,
  seed: number,
  { edge, stride = n }: { edge?: number; stride?: number } = {},
): Values<Args> => {
  const lengths = sizes({ k, n, stride, blockSize, ...grid });
  return {
    w: testWeights(lengths.w, seed, edge),
    codes: new Uint8Array(lengths.codes),
    scales: new Float32Array(lengths.scales),
    zeros: new Uint8Array(lengths.zeros),
    ...{ k, n, stride, blockSize },
    ...grid,
  };
};

/**
 * The grids of `quantize-blocks` for the columns of a matrix, blocks along each column, results by column:
 *
 *     codes[j, :] = code of w[:, j]      scales[j, b] and zeros[j, b] = those of w[b blockSize .., j]
 *
 * w [k, n], its rows `stride` apart; codes [n, k] in bytes, or with `nibbles` (highest 15) two in a byte, the first one
 * low; scales and zeros [n, ceil(k / blockSize)], the last block of a column may be short; k and blockSize multiples of 8,
 * n one of 4.
 */
export const quantizeColumns: Op<Args> = {
  name: "quantize-columns",
  args: quantizeColumnsArgs,
  lengths: sizes,
  tolerance: "exact",
  cases: function* (scope) {
    const chosen = scope === "load" ? loadGrids : grids;
    for (const [i, grid] of chosen.entries()) {
      yield call(40, 4, 32, grid, i);
      if (scope === "load") continue;
      yield call(8, 8, 16, grid, i + 1, { stride: 11 });
      yield call(64, 4, 16, grid, i + 2, { edge: i });
      yield call(104, 12, 32, grid, i + 3, { edge: i + 1, stride: 16 });
    }
  },
  sample: () => call(512, 256, 32, grids.find(({ nibbles }) => nibbles === 1)!, 1),
  work: ({ k, n }) => (k * n) / ELEMENTS_PER_NANOSECOND,
};
