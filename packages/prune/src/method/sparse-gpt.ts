import {
  type GramStats,
  gramObserver,
  gramOf,
  gramReason,
  type Layer,
  type Pass,
  type PassKernels,
} from "@espalier/core";
import { type InverseFactor, inverseFactor, SWEEP_BLOCK } from "@espalier/core/linalg";
import { badOption } from "../errors.ts";
import { roundHalfEven } from "../half-even.ts";
import { patternText } from "../pattern/pattern.ts";
import { sparseGptSweep } from "../solve/sparse-gpt.ts";
import { type DataOptions, dataPass } from "./data-pass.ts";
import { ruleOf } from "./prune-options.ts";

/**
 * Makes the rounding of a layer: given its weight, [rows, columns], before anything is pruned, returns what a weight is
 * stored as. Zero must stay zero.
 */
export type Quantizer = (
  w: Float32Array,
  rows: number,
  columns: number,
  layer: Layer,
) => (value: number, row: number, column: number) => number;

export interface SparseGptOptions extends DataOptions {
  /** Added to the diagonal of each Gram matrix, as a share of its mean. */
  readonly damp?: number;
  /** Columns whose zeros are chosen together. */
  readonly blockSize?: number;
  /** Rounds what stays in the same sweep, so that later columns make up for both errors. */
  readonly quantize?: Quantizer;
}

const NAME = "prune/sparse-gpt";
const USUAL_DAMP = 0.01;

/**
 * Prunes and corrects: in one sweep over the columns of a weight, what stays makes up for what went, by the second moments
 * of its input.
 *
 * Exactly the wanted share of each layer goes, the lowest of each block of columns. Inputs that are always zero lose
 * their weights. Needs calibration data; memory of the Gram matrices of one segment. Source: arXiv:2301.00774.
 *
 * @throws EspalierError `BAD_OPTION` for options out of range, `MISSING_NEED`
 */
export const sparseGpt = ({
  damp = USUAL_DAMP,
  blockSize = SWEEP_BLOCK,
  quantize,
  ...options
}: SparseGptOptions = {}): Pass => {
  const rule = ruleOf(NAME, options, "layer");
  if (!(damp >= 0 && damp <= 1)) throw badOption(NAME, `damp is ${damp}. Give a share from 0 to 1.`);
  if (!Number.isInteger(blockSize) || blockSize < 1)
    throw badOption(NAME, `blockSize is ${blockSize}. Give a whole number of 1 or more.`);
  // layers that meet the same input have the same statistics
  const factors = new WeakMap<GramStats, Map<number, InverseFactor>>();
  const factorOf = (stats: GramStats, group: number, kernels: PassKernels | undefined): InverseFactor => {
    const known = factors.get(stats) ?? new Map<number, InverseFactor>();
    const factor = known.get(group) ?? inverseFactor(gramOf(stats, group), damp, kernels);
    factors.set(stats, known.set(group, factor));
    return factor;
  };
  return dataPass<GramStats>(
    {
      name: NAME,
      rule,
      observer: (only) => gramObserver({ only }),
      unfit: (layer) => gramReason(layer),
      prune({ layer, view, w, sparsity, stats }, ctx) {
        const { rows, columns, groups } = view;
        if (!stats.gram.every(Number.isFinite)) return "its input is not finite";
        const round = quantize?.(w, rows, columns, layer);
        const each = rows / groups;
        for (let group = 0; group < groups; group++) {
          const part = w.subarray(group * each * columns, (group + 1) * each * columns);
          const values = Float64Array.from(part);
          const { U, dead } = factorOf(stats, group, ctx.kernels);
          for (let i = 0; i < values.length; i++) if (dead[i % columns]) values[i] = 0;
          // so that the counts of all blocks and groups add up to the layer's
          const before = group * each * columns;
          const start = roundHalfEven(sparsity * before);
          sparseGptSweep(values, columns, U, {
            blockSize,
            kernels: ctx.kernels,
            pattern: rule.pattern,
            goneBefore: (end) => roundHalfEven(sparsity * (before + each * end)) - start,
            ...(round && { round: (value, row, column) => round(value, group * each + row, column) }),
          });
          part.set(values);
        }
        if (!w.every(Number.isFinite)) return "its Gram matrix is too near to singular";
        return { rows: w, promise: rule.pattern ? { pattern: patternText(rule.pattern) } : {} };
      },
    },
    options,
  );
};
