import { roundToHalf } from "@espalier/core";
import { type Affine, affineOf, fittedAffine, looseAffineOf } from "./affine.ts";
import { type Grid, type GridOptions, highestOf, middleOf } from "./grid.ts";
import { nearest } from "./nearest.ts";
import { extremeScale, fittedScale } from "./symmetric.ts";

/** Codes of w[start .. end]: clamp(round(w / scale + zero), lowest, highest). */
const encode = (
  w: Float32Array,
  start: number,
  end: number,
  scale: number,
  zero: number,
  lowest: number,
  highest: number,
  codes: Uint8Array,
) => {
  // Halves round to even about 0 where zero is whole, and not about it.
  const [before, after] = Number.isInteger(zero) ? [0, zero] : [zero, 0];
  for (let i = start; i < end; i++) {
    let q = nearest(w[i]! / scale + before) + after;
    if (q < lowest) q = lowest;
    else if (q > highest) q = highest;
    codes[i] = q;
  }
};

/**
 * A matrix on a grid by rounding to nearest, block by block along the rows.
 *
 *     code = clamp(round(w / scale) + zero, 0, 2^bits - 1)
 *
 * @param w [rows, columns], finite
 * Scales are rounded to their storage type first. Guarantee (clip "none"): |w - ŵ| <= |scale| / 2 inside the grid's
 * range; zero stays zero except with float zero points; quantizing the result again changes nothing on a full range.
 */
export const quantizeRows = (
  w: Float32Array,
  rows: number,
  columns: number,
  {
    bits = 8,
    blockSize = columns,
    symmetric = true,
    range = "full",
    clip = "none",
    scaleType = "float32",
    zeroPoint = "integer",
  }: GridOptions = {},
): Grid => {
  const blocks = Math.ceil(columns / blockSize);
  const codes = new Uint8Array(rows * columns);
  const scales = new Float32Array(rows * blocks);
  const integer = zeroPoint === "integer";
  const zeroPoints = symmetric ? undefined : integer ? new Uint8Array(rows * blocks) : new Float32Array(rows * blocks);
  const round = scaleType === "float16" ? roundToHalf : Math.fround;
  const middle = middleOf(bits);
  const highest = highestOf(bits);
  const lowest = symmetric && range === "narrow" ? 1 : 0;
  const signed = { lowest: lowest - middle, highest: highest - middle };

  const symmetricScale = (start: number, end: number): number => {
    const extreme = extremeScale(w, start, end, signed);
    return round(clip === "mse" ? fittedScale(w, start, end, signed, extreme) : extreme) || 1;
  };
  const out: Affine = { scale: 1, zero: 0 };
  const make = integer ? affineOf : looseAffineOf;
  let [lo, hi] = [0, 0];
  const gridOf = (ratio: number) => make(out, lo * ratio, hi * ratio, highest, round);
  const affineBlock = (start: number, end: number): Affine => {
    let least = w[start]!;
    let most = least;
    for (let i = start + 1; i < end; i++) {
      const value = w[i]!;
      if (value < least) least = value;
      else if (value > most) most = value;
    }
    [lo, hi] = [least, most];
    return clip === "mse" ? fittedAffine(w, start, end, highest, gridOf) : gridOf(1);
  };

  for (let row = 0; row < rows; row++)
    for (let block = 0; block < blocks; block++) {
      const start = row * columns + block * blockSize;
      const end = row * columns + Math.min(columns, (block + 1) * blockSize);
      const at = row * blocks + block;
      let zero = middle;
      if (zeroPoints) {
        const affine = affineBlock(start, end);
        scales[at] = affine.scale;
        zeroPoints[at] = affine.zero;
        zero = affine.zero;
      } else scales[at] = symmetricScale(start, end);
      encode(w, start, end, scales[at]!, zero, lowest, highest, codes);
    }
  return { bits, rows, columns, blockSize, blocks, codes, scales, zeroPoints };
};
