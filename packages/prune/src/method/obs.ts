import { type GramStats, gramObserver, gramOf, gramReason, type Pass } from "@espalier/core";
import { dampedCholesky, invertCholesky, type Matrix, matrix } from "@espalier/core/linalg";
import { badOption } from "../errors.ts";
import { roundHalfEven } from "../half-even.ts";
import { patternText } from "../pattern/pattern.ts";
import { obsTrace, restrictedRow, shareOut } from "../solve/exact-obs.ts";
import { type DataOptions, dataPass } from "./data-pass.ts";
import { ruleOf } from "./prune-options.ts";

export interface ObsOptions extends DataOptions {
  /** Whether each output loses the same share, or each layer, cheapest weights first. */
  readonly scope?: "layer" | "row";
  /** Added to the diagonal of each Gram matrix, as a share of its mean; more where that does not make it definite. */
  readonly damp?: number;
  /** Layers whose rows are longer are left alone: the time goes with the cube. */
  readonly maxColumns?: number;
}

const NAME = "prune/obs";
const USUAL_DAMP = 1e-6;
const USUAL_COLUMNS = 256;

/** H with something added to its diagonal so that it has an inverse; inputs that are always zero get 1. */
const definite = (H: Matrix, damp: number): { H: Matrix; inverse: Matrix; dead: Uint8Array } => {
  const n = H.columns;
  const made = matrix(n, n, H.data.slice());
  const dead = Uint8Array.from({ length: n }, (_, j) => (H.data[j * n + j] === 0 ? 1 : 0));
  for (let j = 0; j < n; j++) if (dead[j]) made.data[j * n + j] = 1;
  const { l, damping } = dampedCholesky(made, { damp });
  for (let j = 0; j < n; j++) made.data[j * n + j] += damping;
  return { H: made, inverse: invertCholesky(l), dead };
};

/**
 * Exact optimal brain surgeon: weights go one at a time, each time the one that costs least once all others have made up
 * for it. The measure that faster methods are held against; for small layers.
 *
 * Time: rows · columns³. Needs calibration data. Source: arXiv:2208.11580 (ExactOBS).
 *
 * @throws EspalierError `BAD_OPTION` for options out of range, `MISSING_NEED`
 */
export const obs = ({
  scope = "layer",
  damp = USUAL_DAMP,
  maxColumns = USUAL_COLUMNS,
  ...options
}: ObsOptions = {}): Pass => {
  const rule = ruleOf(NAME, options, scope);
  if (!(damp >= 0 && damp <= 1)) throw badOption(NAME, `damp is ${damp}. Give a share from 0 to 1.`);
  if (!(maxColumns >= 1)) throw badOption(NAME, `maxColumns is ${maxColumns}. Give a number of 1 or more.`);
  return dataPass<GramStats>(
    {
      name: NAME,
      rule,
      observer: (only) => gramObserver({ only }),
      unfit: (layer, { columns }) =>
        columns > maxColumns
          ? `its rows have ${columns} weights, and maxColumns is ${maxColumns}; sparseGpt prunes longer ones`
          : gramReason(layer),
      prune({ view, w, sparsity, stats }) {
        const { rows, columns, groups } = view;
        if (!stats.gram.every(Number.isFinite)) return "its input is not finite";
        const each = rows / groups;
        const solved = Array.from({ length: groups }, (_, group) => definite(gramOf(stats, group), damp));
        const partOf = (row: number) => solved[Math.floor(row / each)];
        const rowOf = (row: number) => w.subarray(row * columns, (row + 1) * columns);
        for (let i = 0; i < w.length; i++) if (partOf(Math.floor(i / columns)).dead[i % columns]) w[i] = 0;
        const most = rule.scope === "row" && !rule.pattern ? roundHalfEven(sparsity * columns) : columns;
        const traces = Array.from({ length: rows }, (_, row) =>
          obsTrace(rowOf(row), partOf(row).inverse, most, rule.pattern),
        );
        const taken =
          rule.scope === "row"
            ? traces.map(({ order }) => order.length)
            : shareOut(traces, roundHalfEven(sparsity * w.length));
        traces.forEach(({ order }, row) => {
          rowOf(row).set(restrictedRow(rowOf(row), partOf(row).H, order.subarray(0, taken[row])));
        });
        return { rows: w, promise: rule.pattern ? { pattern: patternText(rule.pattern) } : {} };
      },
    },
    options,
  );
};
