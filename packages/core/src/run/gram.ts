import type { Layer } from "../layers.ts";
import { type Matrix, matrix } from "../linalg/matrix.ts";
import type { LayerObserver } from "../pass.ts";
import type { PassKernels } from "../pass-kernels.ts";
import { type GramSum, gramSum, triangle } from "./gram-sum.ts";
import { type InputRows, inputRowsOf } from "./input-rows.ts";
import { sharedStats } from "./shared-stats.ts";

/** What XᵀX of a layer's input takes, X being the rows that its weight [out, columns] meets. Not to be changed. */
export interface GramStats {
  /** Rows folded in, of each group. */
  n: number;
  readonly columns: number;
  readonly groups: number;
  /** [groups, columns * (columns + 1) / 2], lower triangles row by row: sums, not divided by n. `gramOf` unpacks one. */
  readonly gram: Float64Array;
  /** [groups, columns], sums of each column; the mean is `sums[i] / n` */
  readonly sums: Float64Array;
}

export interface GramOptions {
  /** Layers that are wanted; all that have rows by default. */
  readonly only?: (layer: Layer) => boolean;
  /** Most bytes that one layer's Gram matrices may take. */
  readonly maxBytes?: number;
}

/** Room for 5,791 columns: a 3 × 3 convolution of 643 channels. */
const USUAL_BYTES = 2 ** 27;
const DOUBLE = 8;

/** Bytes that the Gram matrices of a layer take, or the reason why it has none. */
const bytesOf = (rows: InputRows | string) =>
  typeof rows === "string" ? rows : DOUBLE * rows.groups * triangle(rows.columns);

/**
 * Why `gramObserver` leaves a layer out, for reports; undefined where it does not.
 */
export const gramReason = (layer: Layer, { maxBytes = USUAL_BYTES }: GramOptions = {}): string | undefined => {
  const bytes = bytesOf(inputRowsOf(layer));
  if (typeof bytes === "string") return bytes;
  return bytes > maxBytes ? `its Gram matrix would take ${bytes} bytes, and the limit is ${maxBytes}` : undefined;
};

/** Statistics that rows can be added to. */
interface Growing extends GramStats {
  readonly sum: GramSum;
}

const emptyGram = ({ columns, groups }: InputRows): Growing => {
  const sum = gramSum(columns, groups);
  return {
    n: 0,
    columns,
    groups,
    get gram() {
      return sum.total();
    },
    sums: new Float64Array(groups * columns),
    sum,
  };
};

const addRows = (
  { columns, sums, sum }: Growing,
  x: Float32Array | Float64Array,
  count: number,
  group: number,
  kernels?: PassKernels,
): void => {
  sum.add(x, count, group, kernels);
  const at = group * columns;
  for (let r = 0; r < count; r++) for (let c = 0; c < columns; c++) sums[at + c] += x[r * columns + c];
};

/**
 * Folds XᵀX of the input of each layer, in double precision: X has a row for each sample and position, and the columns
 * of the weight read as [out, in * kernel]. Convolutions are seen through their patches, a matrix for each group.
 *
 * Memory: 4 columns² bytes for each group of each different input, half as much again with kernels; layers that see the same
 * input in the same way have the same statistics. Layers that have no rows or would take more than `maxBytes` are left
 * out: `gramReason` says why. Source of the use: arXiv:2210.17323 (H = 2 XᵀX), arXiv:2403.07378.
 */
export const gramObserver = ({
  only = () => true,
  maxBytes = USUAL_BYTES,
}: GramOptions = {}): LayerObserver<GramStats> =>
  sharedStats<Growing>({
    key: "gram",
    only: (layer) => only(layer) && gramReason(layer, { maxBytes }) === undefined,
    empty: emptyGram,
    add: addRows,
  });

/** XᵀX of one group, [columns, columns], both triangles: a copy. */
export const gramOf = ({ columns, gram }: GramStats, group = 0): Matrix => {
  const out = matrix(columns, columns);
  let at = group * triangle(columns);
  for (let i = 0; i < columns; i++)
    for (let j = 0; j <= i; j++, at++) {
      out.data[i * columns + j] = gram[at];
      out.data[j * columns + i] = gram[at];
    }
  return out;
};
