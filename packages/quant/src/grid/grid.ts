import { allFinite } from "./all-finite.ts";

/** How wide a code is. 7 keeps `u8 × s8` kernels that saturate at 16 bits exact, and is stored in 8. */
export type GridBits = 8 | 7 | 6 | 5 | 4 | 3 | 2;

/**
 * The type that scales are rounded to before codes are chosen for them. `float16` leaves those alone that float16 does
 * not hold with all its bits, below 2^-14 and above 65504.
 */
export type ScaleType = "float32" | "float16";

/** How the range of a block becomes a scale: its extreme as it is, or the least squared error of the weights. */
export type Clip = "none" | "mse";

/**
 * A matrix on an integer grid, one scale (and zero point) for every block of a row:
 *
 *     w = (code - zero) * scale
 *
 * The last block of a row may be short.
 */
export interface Grid {
  readonly bits: GridBits;
  readonly rows: number;
  readonly columns: number;
  readonly blockSize: number;
  /** Blocks in a row: ceil(columns / blockSize). */
  readonly blocks: number;
  /** [rows, columns], 0 .. 2^bits - 1 */
  readonly codes: Uint8Array;
  /** The same as `packRows` gives them, where they were made so. */
  readonly packed?: Uint8Array;
  /** [rows, blocks], unit of w; a symmetric scale may be negative */
  readonly scales: Float32Array;
  /** [rows, blocks]: whole numbers, or floats; undefined: every zero point is 2^(bits - 1) */
  readonly zeroPoints: Uint8Array | Float32Array | undefined;
}

export interface GridOptions {
  readonly bits?: GridBits;
  /** Columns that share a scale; the whole row by default. */
  readonly blockSize?: number;
  /** Zero points fixed to the middle of the grid. */
  readonly symmetric?: boolean;
  /**
   * Codes of a symmetric grid. `full`: all 2^bits, the scale signed so that the extreme of the block falls on the
   * lowest code exactly. `narrow`: without the lowest code, and positive scales, as integer kernels want them.
   */
  readonly range?: "full" | "narrow";
  readonly clip?: Clip;
  /** [columns], what the squared error of each column counts in a search for scales: the mean square of its input. */
  readonly importance?: ArrayLike<number>;
  readonly scaleType?: ScaleType;
  /** Zero points of an asymmetric grid: whole numbers keep 0 exact, floats fit the range closer. */
  readonly zeroPoint?: "integer" | "float";
}

/** Code that stands for 0 on a symmetric grid: 2^(bits - 1). */
export const middleOf = (bits: GridBits): number => 2 ** (bits - 1);

/** Highest code: 2^bits - 1. */
export const highestOf = (bits: GridBits): number => 2 ** bits - 1;

/** True where no block had infinite values or NaN. */
export const isFiniteGrid = ({ scales }: Grid): boolean => allFinite(scales);

/** Values of a grid: w = (code - zero) * scale, [rows, columns]. */
export const dequantizeRows = ({ bits, rows, columns, blockSize, blocks, codes, scales, zeroPoints }: Grid) => {
  const values = new Float32Array(rows * columns);
  const middle = middleOf(bits);
  for (let row = 0; row < rows; row++)
    for (let block = 0; block < blocks; block++) {
      const at = row * blocks + block;
      const zero = zeroPoints ? zeroPoints[at]! : middle;
      const end = row * columns + Math.min(columns, (block + 1) * blockSize);
      for (let i = row * columns + block * blockSize; i < end; i++) values[i] = (codes[i]! - zero) * scales[at]!;
    }
  return values;
};
