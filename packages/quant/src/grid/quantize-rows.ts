import { encodeRow, type RowGrid } from "./encode-row.ts";
import { bitsOf, rowExtremes } from "./extremes.ts";
import { type Grid, type GridOptions, highestOf, middleOf } from "./grid.ts";
import { affineRow, type RowScales, symmetricRow } from "./plain-scales.ts";
import { searchedScales } from "./searched-scales.ts";
import { weightedScales } from "./weighted-scales.ts";

/**
 * A matrix on a grid by rounding to nearest, block by block along the rows.
 *
 *     code = clamp(round(w / scale) + zero, 0, 2^bits - 1)
 *
 * @param w [rows, columns]; a block with infinite values or NaN gets the scale NaN, see `isFiniteGrid`
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
    importance,
  }: GridOptions = {},
): Grid => {
  const blocks = Math.ceil(columns / blockSize);
  const codes = new Uint8Array(rows * columns);
  const scales = new Float32Array(rows * blocks);
  const whole = symmetric || zeroPoint === "integer";
  const zeroPoints = symmetric ? undefined : whole ? new Uint8Array(rows * blocks) : new Float32Array(rows * blocks);
  const half = scaleType === "float16";
  const middle = middleOf(bits);
  const highest = highestOf(bits);
  const lowest = symmetric && range === "narrow" ? 1 : 0;
  const signed = { lowest: lowest - middle, highest: highest - middle };
  const ends = new Float32Array(2 * blocks);
  const [bitsOfW, bitsOfEnds] = [bitsOf(w), bitsOf(ends)];
  const inverses = new Float64Array(blocks);
  const grid: RowGrid = { inverses, zeros: new Float64Array(blocks).fill(middle), whole, lowest, highest };
  const rowScales: RowScales = { scales, half, ends };
  const search = clip === "mse" || !whole ? searchedScales({ clip, half, whole, highest, signed }) : undefined;
  const weighted = importance && clip === "mse" && whole ? weightedScales({ half, highest, signed }) : undefined;
  const counts = Float64Array.from(importance ?? []);

  const countsOf = (block: number) => counts.subarray(block * blockSize, (block + 1) * blockSize);

  /** Scales of a row's blocks one by one, where more than their extremes decides. */
  const searchRow = (row: number, { symmetric: scaleOf, affine }: NonNullable<typeof search>) => {
    for (let block = 0; block < blocks; block++) {
      const at = row * blocks + block;
      const start = row * columns + block * blockSize;
      const end = row * columns + Math.min(columns, (block + 1) * blockSize);
      if (!Number.isFinite(ends[2 * block]!) || !Number.isFinite(ends[2 * block + 1]!)) scales[at] = Number.NaN;
      else if (zeroPoints) {
        const { scale, zero } = weighted?.affine(w, start, end, countsOf(block)) ?? affine(w, start, end);
        scales[at] = scale;
        zeroPoints[at] = zero;
        grid.zeros[block] = zero;
      } else scales[at] = weighted?.symmetric(w, start, end, countsOf(block)) ?? scaleOf(w, start, end);
      inverses[block] = 1 / scales[at]!;
    }
  };

  for (let row = 0; row < rows; row++) {
    const first = row * columns;
    rowExtremes(bitsOfW, first, columns, blockSize, bitsOfEnds);
    if (search) searchRow(row, search);
    else if (zeroPoints) affineRow(rowScales, row * blocks, zeroPoints as Uint8Array, grid);
    else symmetricRow(rowScales, row * blocks, signed, grid);
    encodeRow(w, first, columns, blockSize, grid, codes);
  }
  return { bits, rows, columns, blockSize, blocks, codes, scales, zeroPoints };
};
