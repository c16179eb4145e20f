import type { Clip } from "./grid.ts";
import type { ScaleRule } from "./scale-rules.ts";
import type { ValueGrid } from "./value-grid.ts";
import type { ValueTable } from "./value-table.ts";

export interface ValueGridOptions {
  readonly table: ValueTable;
  /** Stored bits of a code. */
  readonly bits: number;
  /** Columns that share a scale. */
  readonly blockSize: number;
  readonly rule: (most: number) => ScaleRule;
  /** The extreme as it is, or the multiple of it with the least squared error of the block. */
  readonly clip?: Clip;
}

/** Largest magnitude of each block, [rows * blocks]. */
const extremesOf = (w: Float32Array, rows: number, columns: number, blockSize: number): Float32Array => {
  const blocks = Math.ceil(columns / blockSize);
  const extremes = new Float32Array(rows * blocks);
  for (let row = 0; row < rows; row++)
    for (let block = 0; block < blocks; block++) {
      const end = row * columns + Math.min(columns, (block + 1) * blockSize);
      let most = 0;
      for (let i = row * columns + block * blockSize; i < end; i++) most = Math.max(most, Math.abs(w[i]!));
      extremes[row * blocks + block] = most;
    }
  return extremes;
};

/** Squared error of w[start .. end] on the table times a scale. */
const squaredError = (w: Float32Array, start: number, end: number, scale: number, table: ValueTable): number => {
  const inverse = scale > 0 ? 1 / scale : 0;
  let sum = 0;
  for (let i = start; i < end; i++) sum += (w[i]! - table.values[table.nearest(w[i]! * inverse)]! * scale) ** 2;
  return sum;
};

/**
 * A matrix on a grid of given values, block by block along the rows: scales by a rule, rounded as they will be stored,
 * and then the nearest value.
 *
 *     code = argmin |w / scale - values[code]|
 *
 * @param w [rows, columns], finite
 */
export const quantizeValues = (
  w: Float32Array,
  rows: number,
  columns: number,
  { table, bits, blockSize, rule: ruleOf, clip = "none" }: ValueGridOptions,
): ValueGrid => {
  const blocks = Math.ceil(columns / blockSize);
  const extremes = extremesOf(w, rows, columns, blockSize);
  const rule = ruleOf(extremes.reduce((most, extreme) => Math.max(most, extreme), 0));
  const span = (at: number): readonly [number, number] => {
    const [row, block] = [Math.floor(at / blocks), at % blocks];
    return [row * columns + block * blockSize, row * columns + Math.min(columns, (block + 1) * blockSize)];
  };
  if (clip === "mse")
    extremes.forEach((extreme, at) => {
      const [start, end] = span(at);
      let [least, best] = [Number.POSITIVE_INFINITY, 1];
      for (const ratio of rule.ratios) {
        const error = squaredError(w, start, end, rule.scaleOf(extreme * ratio), table);
        if (error < least) [least, best] = [error, ratio];
      }
      extremes[at] = extreme * best;
    });
  const { scales, stored } = rule.keep(extremes);
  const codes = new Uint8Array(rows * columns);
  scales.forEach((scale, at) => {
    const [start, end] = span(at);
    const inverse = scale > 0 ? 1 / scale : 0;
    for (let i = start; i < end; i++) codes[i] = table.nearest(w[i]! * inverse);
  });
  return { bits, rows, columns, blockSize, blocks, codes, values: table.values, scales, stored };
};
