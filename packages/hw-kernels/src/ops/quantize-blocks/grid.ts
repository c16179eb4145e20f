import { SIZES } from "../bounds.ts";
import { randomFloats } from "../seeded.ts";

/** How a block's range becomes a scale. */
export const GRID_MODES = { affine: 0, full: 1, narrow: 2 } as const;

/** What both quantizing ops take beside their sizes. */
export const gridArgs = { mode: "i32", highest: "i32", half: "i32", nibbles: "i32" } as const;

export interface GridNumbers {
  readonly mode: number;
  readonly highest: number;
  readonly half: number;
  readonly nibbles: number;
}

/** Every grid that is tested: 2 to 8 bits, each mode, scales of both types, codes as bytes and as nibbles. */
export const grids: readonly GridNumbers[] = [255, 127, 63, 31, 15, 7, 3].flatMap((highest) =>
  Object.values(GRID_MODES).flatMap((mode) =>
    [0, 1].flatMap((half) => (highest === 15 ? [0, 1] : [0]).map((nibbles) => ({ mode, highest, half, nibbles }))),
  ),
);

/** Those that are checked at every load: each mode, both types of scales, bytes and nibbles. */
export const loadGrids = grids.filter(
  ({ highest, half, nibbles }) => (highest === 255 && half === 0) || (highest === 15 && half === 1 && nibbles === 1),
);

const TINY = 2 ** -146;
const SPREAD = [1, 2 ** -13, 70000 * 255, TINY];
const EDGES = [Infinity, -Infinity, Number.NaN];

/** Weights to test with: of all sizes, a stretch of zeros, and, where `edge` is given, one value that is not finite. */
export const testWeights = (count: number, seed: number, edge?: number): Float32Array => {
  const spread = SPREAD[seed % SPREAD.length]!;
  const w = randomFloats(count, seed, true).map((x, i) => (i >= count - SIZES.at(-1)! ? 0 : x * spread));
  if (edge !== undefined) w[(seed * 7) % count] = EDGES[edge % EDGES.length]!;
  return w;
};
