import type { PassKernels } from "@espalier/core";
import { compensatingSweep, type Matrix, SWEEP_BLOCK } from "@espalier/core/linalg";
import { dropLowest } from "../pattern/lowest.ts";
import type { Pattern } from "../pattern/pattern.ts";

export interface SweepOptions {
  /** How many weights go before column `end`; those of each block are chosen when it begins. */
  readonly goneBefore?: (end: number) => number;
  readonly pattern?: Pattern | undefined;
  /** 1 where a weight goes, [rows, columns], instead of a choice. */
  readonly mask?: Uint8Array;
  readonly blockSize?: number;
  /** What a weight that stays is stored as; its error too is made up for by the columns behind it. */
  readonly round?: (value: number, row: number, column: number) => number;
  readonly kernels?: PassKernels | undefined;
}

/** Marks what goes of a row's next group, by the values that the columns before it have left. */
const chooseGroup = (
  w: Float64Array,
  at: number,
  { keep, of }: Pattern,
  diagonal: Float64Array,
  from: number,
  scores: Float32Array,
  drop: Uint8Array,
  dropAt: number,
) => {
  for (let i = 0; i < of; i++) scores[i] = (w[at + i] / diagonal[from + i]) ** 2;
  const group = drop.subarray(dropAt, dropAt + of);
  group.fill(0);
  dropLowest(scores, of - keep, group);
};

/**
 * Prunes a weight column by column; what each removal adds to the output error, the columns behind it make up for.
 *
 *     goes: the lowest w_ij² / U_jj² of a block      e = (w_j - q_j) / U_jj      w_k <- w_k - e U_jk, k > j
 *
 * Columns after a block are updated once, by a product, when the block is done.
 *
 * @param w [rows, columns], changed in place
 * @param U [columns, columns], upper: UᵀU = H⁻¹. Source: arXiv:2301.00774, algorithm 1.
 */
export const sparseGptSweep = (
  w: Float64Array,
  columns: number,
  U: Matrix,
  { goneBefore, pattern, mask, blockSize = SWEEP_BLOCK, round, kernels }: SweepOptions,
): void => {
  const rows = w.length / columns;
  const diagonal = Float64Array.from({ length: columns }, (_, j) => U.data[j * columns + j]);
  const size = pattern ? pattern.of * Math.ceil(blockSize / pattern.of) : blockSize;
  const groupScores = new Float32Array(pattern?.of ?? 0);
  let gone = 0;
  let first = 0;
  let width = 0;
  let drop = new Uint8Array();
  const begin = (from: number, to: number) => {
    first = from;
    width = to - from;
    drop = new Uint8Array(rows * width);
    if (mask) for (let r = 0; r < rows; r++) drop.set(mask.subarray(r * columns + from, r * columns + to), r * width);
    else if (!pattern && goneBefore) {
      const scores = new Float32Array(rows * width);
      for (let r = 0, at = 0; r < rows; r++)
        for (let j = from; j < to; j++, at++) scores[at] = (w[r * columns + j] / diagonal[j]) ** 2;
      const count = goneBefore(to) - gone;
      dropLowest(scores, count, drop);
      gone += count;
    }
  };
  const store = (value: number, r: number, j: number): number => {
    const dropAt = r * width + j - first;
    if (pattern && !mask && j % pattern.of === 0)
      chooseGroup(w, r * columns + j, pattern, diagonal, j, groupScores, drop, dropAt);
    if (drop[dropAt]) return 0;
    return round ? round(value, r, j) : value;
  };
  compensatingSweep(w, columns, U, { blockSize: size, begin, store, kernels });
};
