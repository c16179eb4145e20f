import { type NormStats, normObserver, type Pass } from "@espalier/core";
import { scoresOf, weightsOf } from "../score/score.ts";
import { wandaScore } from "../score/wanda.ts";
import { type DataOptions, dataPass } from "./data-pass.ts";
import { pruneByScore } from "./prune-by-score.ts";
import { ruleOf } from "./prune-options.ts";

export interface WandaOptions extends DataOptions {
  /** Among which weights the lowest go: those of each output, as published, or of the whole layer. */
  readonly scope?: "row" | "layer";
}

const NAME = "prune/wanda";

/**
 * Sets the weights to zero that matter least given what they meet: the lowest |w_ij| ‖x_j‖₂ of each output. What stays keeps
 * its value.
 *
 * Needs calibration data. Source: arXiv:2306.11695.
 *
 * @throws EspalierError `BAD_OPTION` for options out of range, `MISSING_NEED`
 */
export const wanda = ({ scope = "row", ...options }: WandaOptions = {}): Pass => {
  const rule = ruleOf(NAME, options, scope, undefined, true);
  return dataPass<NormStats>(
    {
      name: NAME,
      rule,
      observer: (only) => normObserver({ only }),
      prune({ layer, view, w, sparsity, stats }) {
        if (!stats.squares.every(Number.isFinite)) return "its input is not finite";
        const scores = scoresOf(NAME, wandaScore, weightsOf(layer, view, w, stats));
        return pruneByScore(w, scores, view.columns, rule, sparsity);
      },
    },
    options,
  );
};
