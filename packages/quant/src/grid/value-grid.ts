/** How the scales of a `ValueGrid` are stored where they are not floats. */
export type StoredScales =
  /** Powers of two, 2^(code - 127): one byte each. */
  | { readonly kind: "e8m0"; readonly codes: Uint8Array }
  /** code of E4M3, times one float for all: one byte each and four for the tensor. */
  | { readonly kind: "e4m3"; readonly codes: Uint8Array; readonly factor: number }
  /** code * steps[group] + mean, in groups of 256: one byte each, four a group and four for the tensor. */
  | {
      readonly kind: "double";
      readonly codes: Int8Array;
      readonly groupSize: number;
      readonly steps: Float32Array;
      readonly mean: number;
    };

/**
 * A matrix on a grid of given values, one scale for every block of a row:
 *
 *     w = values[code] * scale
 *
 * The last block of a row may be short.
 */
export interface ValueGrid {
  /** Stored bits of a code. */
  readonly bits: number;
  readonly rows: number;
  readonly columns: number;
  readonly blockSize: number;
  readonly blocks: number;
  /** [rows, columns] */
  readonly codes: Uint8Array;
  /** [2^bits] or fewer */
  readonly values: Float32Array;
  /** [rows, blocks], as the stored ones decode */
  readonly scales: Float32Array;
  readonly stored: StoredScales | undefined;
}

/** The matrix of a grid, [rows, columns]. */
export const dequantizeValues = ({ rows, columns, blockSize, blocks, codes, values, scales }: ValueGrid) => {
  const w = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      w[row * columns + column] =
        values[codes[row * columns + column]!]! * scales[row * blocks + Math.floor(column / blockSize)]!;
  return w;
};

const BYTE = 8;
const FLOAT_BYTES = 4;

/** Stored bytes of scales by themselves; `floatBytes` of one that is stored as a float. */
const scaleBytes = ({ scales, stored }: ValueGrid, floatBytes: number): number => {
  if (!stored) return scales.length * floatBytes;
  if (stored.kind === "e8m0") return stored.codes.length;
  if (stored.kind === "e4m3") return stored.codes.length + FLOAT_BYTES;
  return stored.codes.length + FLOAT_BYTES * (stored.steps.length + 1);
};

/** Bytes of codes and scales, without the table of values, which a model has once. */
export const valueGridBytes = (grid: ValueGrid, floatBytes = FLOAT_BYTES): number =>
  Math.ceil((grid.rows * grid.columns * grid.bits) / BYTE) + scaleBytes(grid, floatBytes);
