import { nearest } from "./nearest.ts";

/** What turns the values of each block of a row into codes. */
export interface RowGrid {
  /** 1 / scale */
  readonly inverses: Float64Array;
  readonly zeros: Float64Array;
  /** Zero points are whole numbers: halves then round to even about 0, and not about them. */
  readonly whole: boolean;
  readonly lowest: number;
  readonly highest: number;
}

/**
 * Codes of a row, block by block: clamp(round(w / scale) + zero, lowest, highest), or clamp(round(w / scale + zero), ..)
 * where zero points are not whole.
 */
export const encodeRow = (
  w: Float32Array,
  start: number,
  columns: number,
  blockSize: number,
  { inverses, zeros, whole, lowest, highest }: RowGrid,
  codes: Uint8Array,
): void => {
  const stop = start + columns;
  for (let from = start, block = 0; from < stop; from += blockSize, block++) {
    const to = Math.min(stop, from + blockSize);
    const inverse = inverses[block]!;
    const before = whole ? 0 : zeros[block]!;
    const after = whole ? zeros[block]! : 0;
    for (let i = from; i < to; i++) {
      let q = nearest(w[i]! * inverse + before) + after;
      if (q < lowest) q = lowest;
      else if (q > highest) q = highest;
      codes[i] = q;
    }
  }
};
