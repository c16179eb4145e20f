import { roundToHalf } from "@espalier/core";
import { aciqRange, clipDistance, type Moments } from "../range/aciq.ts";
import { type Affine, affineOf, looseAffineOf } from "./affine.ts";
import { type Grid, type GridOptions, highestOf, middleOf } from "./grid.ts";
import { nearest } from "./nearest.ts";
import { extremeScale } from "./symmetric.ts";

const momentsOf = (w: Float32Array, start: number, end: number, mean: number): Moments => {
  let [absolute, squares] = [0, 0];
  for (let i = start; i < end; i++) {
    absolute += Math.abs(w[i]! - mean);
    squares += (w[i]! - mean) ** 2;
  }
  return { mean, deviation: absolute / (end - start), sigma: Math.sqrt(squares / (end - start)) };
};

/**
 * A matrix on a grid whose ranges are ACIQ's analytic thresholds, never beyond the extremes of a block: mean ± α σ or
 * mean ± α b by the density that the block is nearer to; about 0 on symmetric grids.
 *
 * @param w [rows, columns]; a block with values that are not finite gets the scale NaN, see `isFiniteGrid`
 * Source: arXiv:1810.05723, section 2.
 */
export const aciqRows = (
  w: Float32Array,
  rows: number,
  columns: number,
  {
    bits = 8,
    blockSize = columns,
    symmetric = true,
    range = "full",
    scaleType = "float32",
    zeroPoint = "integer",
  }: GridOptions,
): Grid => {
  const blocks = Math.ceil(columns / blockSize);
  const [middle, highest] = [middleOf(bits), highestOf(bits)];
  const lowest = symmetric && range === "narrow" ? 1 : 0;
  const round = scaleType === "float16" ? roundToHalf : Math.fround;
  const whole = zeroPoint === "integer";
  const codes = new Uint8Array(rows * columns);
  const scales = new Float32Array(rows * blocks);
  const makeZeros = () => (whole ? new Uint8Array(rows * blocks) : new Float32Array(rows * blocks));
  const zeroPoints = symmetric ? undefined : makeZeros();
  const affine: Affine = { scale: 1, zero: 0 };
  for (let at = 0; at < scales.length; at++) {
    const start = Math.floor(at / blocks) * columns + (at % blocks) * blockSize;
    const end = Math.min(start + blockSize, (Math.floor(at / blocks) + 1) * columns);
    let [low, high, sum] = [w[start]!, w[start]!, 0];
    for (let i = start; i < end; i++) {
      low = Math.min(low, w[i]!);
      high = Math.max(high, w[i]!);
      sum += w[i]!;
    }
    let zero = middle;
    if (zeroPoints) {
      const found = aciqRange(
        { low, high },
        momentsOf(w, start, end, sum / (end - start)),
        momentsOf(w, start, end, 0),
        bits,
      );
      (whole ? affineOf : looseAffineOf)(affine, found.low, found.high, highest, round);
      scales[at] = affine.scale;
      zeroPoints[at] = affine.zero;
      zero = affine.zero;
    } else {
      const distance = clipDistance(momentsOf(w, start, end, 0), bits);
      const ends = { lowest: lowest - middle, highest: highest - middle };
      scales[at] =
        round(extremeScale(Math.max(-distance, Math.min(0, low)), Math.min(distance, Math.max(0, high)), ends)) || 1;
    }
    if (!Number.isFinite(low + high)) scales[at] = Number.NaN;
    for (let i = start; i < end; i++)
      codes[i] = Math.min(highest, Math.max(lowest, nearest(w[i]! / scales[at]! + zero)));
  }
  return { bits, rows, columns, blockSize, blocks, codes, scales, zeroPoints };
};
