import type { PassKernels } from "@espalier/core";
import { linearAlgebra, type Matrix, matrix } from "@espalier/core/linalg";
import { nearest } from "../grid/nearest.ts";

/** Rows of a weight on a grid that is being improved, in place. */
export interface Refined {
  /** [rows, columns] */
  readonly codes: Uint8Array;
  /** [rows, blocks] */
  readonly scales: Float32Array;
  /** [rows, blocks]; undefined: all `middle` */
  readonly zeroPoints: Uint8Array | Float32Array | undefined;
  readonly middle: number;
  readonly blockSize: number;
  readonly lowest: number;
  readonly highest: number;
  /** Rounds a scale to its storage type. */
  round(scale: number): number;
  /** [rows, columns], (ŵ - w) H, kept up to date */
  readonly pull: Float64Array;
  /** [columns, columns], symmetric, a positive diagonal */
  readonly H: Matrix;
}

/** pull[r, :] += step · H[j, :] */
const shift = (pull: Float64Array, r: number, { columns, data }: Matrix, j: number, step: number) => {
  for (let k = 0, to = r * columns, at = j * columns; k < columns; k++, to++, at++) pull[to]! += step * data[at]!;
};

/**
 * Moves each code to where the error of its row, all others fixed, is least; returns how many moved.
 *
 *     ŵ_j - ((ŵ - w) H)_j / H_jj, rounded to the grid
 *
 * Guarantee: (ŵ - w) H (ŵ - w)ᵀ of no row grows. Source: QuantEase, arXiv:2309.01885, algorithm 1.
 */
export const moveCodes = ({ codes, scales, blockSize, lowest, highest, pull, H }: Refined): number => {
  const { columns, data } = H;
  const blocks = Math.ceil(columns / blockSize);
  const inverse = Float64Array.from({ length: columns }, (_, j) => 1 / data[j * columns + j]!);
  let moved = 0;
  for (let r = 0, at = 0; at < codes.length; r++)
    for (let block = 0, j = 0; block < blocks; block++) {
      const scale = scales[r * blocks + block]!;
      const steps = 1 / scale;
      for (const end = Math.min(columns, j + blockSize); j < end; j++, at++) {
        const code = codes[at]!;
        let wanted = nearest(code - pull[at]! * inverse[j]! * steps);
        if (wanted < lowest) wanted = lowest;
        else if (wanted > highest) wanted = highest;
        if (wanted === code) continue;
        codes[at] = wanted;
        shift(pull, r, H, j, (wanted - code) * scale);
        moved++;
      }
    }
  return moved;
};

/**
 * Fits the scales, block by block, all codes fixed, to where the errors of the rows are least; a scale that rounding to
 * its storage type would make worse stays.
 *
 *     scale -= v ((ŵ - w) H)_blockᵀ / (v H_block vᵀ)      v = codes - zero of the block
 *
 * Guarantee: the error of no row grows.
 */
export const moveScales = (
  { codes, scales, zeroPoints, middle, blockSize, round, pull, H }: Refined,
  kernels?: PassKernels,
): void => {
  const { matmul } = linearAlgebra(kernels);
  const { columns, data } = H;
  const rows = codes.length / columns;
  const blocks = Math.ceil(columns / blockSize);
  for (let block = 0, from = 0; from < columns; block++, from += blockSize) {
    const width = Math.min(columns - from, blockSize);
    const v = matrix(rows, width);
    for (let r = 0, to = 0; r < rows; r++) {
      const zero = zeroPoints ? zeroPoints[r * blocks + block]! : middle;
      for (let j = 0, at = r * columns + from; j < width; j++, at++, to++) v.data[to] = codes[at]! - zero;
    }
    // [rows, width] x [width, columns] -> [rows, columns]
    const u = matmul(v, matrix(width, columns, data.subarray(from * columns, (from + width) * columns))).data;
    for (let r = 0; r < rows; r++) {
      let along = 0;
      let across = 0;
      for (let j = 0, at = r * columns + from, own = r * width; j < width; j++, at++, own++) {
        along += v.data[own]! * pull[at]!;
        across += v.data[own]! * u[at]!;
      }
      const before = scales[r * blocks + block]!;
      const after = round(before - along / across);
      if (!(across > 0) || !Number.isFinite(after) || after === 0) continue;
      const step = after - before;
      // what the error changes by
      if (!(step * (across * step + 2 * along) < 0)) continue;
      scales[r * blocks + block] = after;
      for (let k = 0, at = r * columns; k < columns; k++, at++) pull[at]! += step * u[at]!;
    }
  }
};

/** Moves whole zero points, all codes fixed, to where the errors of the rows are least. Guarantee: none grows. */
export const moveZeros = ({ scales, zeroPoints, blockSize, highest, pull, H }: Refined): void => {
  if (!(zeroPoints instanceof Uint8Array)) return;
  const { columns, data } = H;
  const blocks = Math.ceil(columns / blockSize);
  const u = new Float64Array(columns);
  for (let block = 0, from = 0; from < columns; block++, from += blockSize) {
    const end = Math.min(columns, from + blockSize);
    u.fill(0);
    let across = 0;
    for (let j = from; j < end; j++) for (let k = 0, at = j * columns; k < columns; k++, at++) u[k]! += data[at]!;
    for (let k = from; k < end; k++) across += u[k]!;
    if (!(across > 0)) continue;
    for (let r = 0; r * columns < pull.length; r++) {
      const place = r * blocks + block;
      let along = 0;
      for (let k = from, at = r * columns + from; k < end; k++, at++) along += pull[at]!;
      const before = zeroPoints[place]!;
      const after = Math.min(highest, Math.max(0, nearest(before + along / across / scales[place]!)));
      const step = (before - after) * scales[place]!;
      if (!(step * (across * step + 2 * along) < 0)) continue;
      zeroPoints[place] = after;
      for (let k = 0, at = r * columns; k < columns; k++, at++) pull[at]! += step * u[k]!;
    }
  }
};
