import { roundToHalf } from "@espalier/core";
import { type LineOptions, lineCentres } from "./line-clusters.ts";
import { valueTable } from "./value-table.ts";

/**
 * Vectors of a matrix by the codes of those that stand for them:
 *
 *     w[row, width * j .. width * (j + 1)] = values[group of the row, codes[row, j]]
 */
export interface Palette {
  /** Bits of a code. */
  readonly bits: number;
  readonly rows: number;
  readonly columns: number;
  /** Columns that one code stands for. */
  readonly width: number;
  /** Rows that share a codebook; the last group may be short. */
  readonly groupSize: number;
  readonly groups: number;
  /** [rows, columns / width] */
  readonly codes: Uint8Array;
  /** [groups, 2^bits, width], with zeros behind codebooks that need fewer */
  readonly values: Float32Array;
}

/** The matrix of a palette, [rows, columns]. */
export const depalettize = ({ bits, rows, columns, width, groupSize, codes, values }: Palette): Float32Array => {
  const w = new Float32Array(rows * columns);
  const [perRow, size] = [columns / width, 2 ** bits * width];
  codes.forEach((code, i) => {
    const from = Math.floor(Math.floor(i / perRow) / groupSize) * size + code * width;
    w.set(values.subarray(from, from + width), i * width);
  });
  return w;
};

const BYTE = 8;

/** Stored bytes of codes and codebooks, `valueBytes` for each float: n log2 k / 8 + k width valueBytes. */
export const paletteBytes = ({ bits, codes, values }: Palette, valueBytes: number): number =>
  Math.ceil((codes.length * bits) / BYTE) + values.length * valueBytes;

interface PaletteOptions extends LineOptions {
  readonly bits: number;
  readonly groupSize: number;
  /** Codebooks are stored as float16. */
  readonly half: boolean;
}

/**
 * Weights by the nearest of 2^bits values that k-means finds for each group of rows. Source: Deep Compression,
 * arXiv:1510.00149, section 3, without its retraining.
 *
 * @param w [rows, columns], finite
 */
export const paletteRows = (
  w: Float32Array,
  rows: number,
  columns: number,
  { bits, groupSize, half, ...options }: PaletteOptions,
): Palette => {
  const groups = Math.ceil(rows / groupSize);
  const k = 2 ** bits;
  const codes = new Uint8Array(rows * columns);
  const values = new Float32Array(groups * k);
  const round = half ? roundToHalf : Math.fround;
  for (let group = 0; group < groups; group++) {
    const from = group * groupSize * columns;
    const own = w.subarray(from, Math.min(w.length, from + groupSize * columns));
    const centres = Float32Array.from(lineCentres(own, k, options), round);
    values.set(centres, group * k);
    const table = valueTable(centres);
    for (let i = 0; i < own.length; i++) codes[from + i] = table.nearest(own[i]!);
  }
  return { bits, rows, columns, width: 1, groupSize, groups, codes, values };
};
