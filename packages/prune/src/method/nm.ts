import {
  type Context,
  checkAborted,
  definePass,
  type Model,
  type NormStats,
  normObserver,
  type Pass,
} from "@espalier/core";
import { badOption } from "../errors.ts";
import { magnitudeScore } from "../score/magnitude.ts";
import { type Score, scoresOf, weightsOf } from "../score/score.ts";
import { wandaScore } from "../score/wanda.ts";
import { type DataOptions, dataPass } from "./data-pass.ts";
import { planLayers } from "./plan.ts";
import { pruneByScore } from "./prune-by-score.ts";
import { type PruneOptions, ruleOf } from "./prune-options.ts";
import { putPruned, type Result, reportPruned, resultOf } from "./put-pruned.ts";

export interface NmOptions extends Omit<PruneOptions, "sparsity" | "ratios">, Pick<DataOptions, "sequential"> {
  /** What tells weights that go from those that stay. "wanda" needs calibration data. */
  readonly score?: "magnitude" | "wanda" | Score;
  /**
   * Look for an order of each weight's columns in which 2:4 keeps more. The weight stays in its own order; the mask in the
   * metadata tells the other one, to whoever packs it.
   */
  readonly permute?: boolean;
}

const NAME = "prune/nm";
const USUAL_PATTERN = "2:4";

/** Pruning by a score that needs no data. */
const byWeights = (score: Score, permute: boolean, { pattern, ...options }: NmOptions & { pattern: string }): Pass => {
  const rule = ruleOf(NAME, { pattern }, "row");
  const apply = async (model: Model, ctx: Context): Promise<Model> => {
    const plan = await planLayers(NAME, model, ctx, { ...options, rule });
    const results: Result[] = [];
    ctx.progress({ kind: "start", task: NAME, total: plan.length });
    for (const [index, { layer, view, sparsity }] of plan.entries()) {
      checkAborted(NAME, ctx.signal);
      const w = view.toRows(await layer.weight.read());
      const scores = scoresOf(NAME, score, weightsOf(layer, view, w, undefined));
      const rng = permute ? ctx.rng.fork(layer.name) : undefined;
      const { rows, promise } = pruneByScore(w, scores, view.columns, rule, sparsity, rng);
      const result = resultOf(layer, view, rows, promise);
      results.push(result);
      reportPruned(NAME, ctx, result);
      ctx.progress({ kind: "step", task: NAME, done: index + 1, total: plan.length, note: layer.name });
    }
    ctx.progress({ kind: "end", task: NAME });
    return putPruned(model, results);
  };
  return definePass({ name: NAME, stage: "sparsify", traits: { preserves: ["espalier.masks"] }, apply });
};

/** Pruning by what the weights meet. */
const byInputs = (permute: boolean, { pattern, ...options }: NmOptions & { pattern: string }): Pass => {
  const rule = ruleOf(NAME, { pattern }, "row");
  return dataPass<NormStats>(
    {
      name: NAME,
      rule,
      observer: (only) => normObserver({ only }),
      prune({ layer, view, w, sparsity, stats }, ctx) {
        if (!stats.squares.every(Number.isFinite)) return "its input is not finite";
        const scores = scoresOf(NAME, wandaScore, weightsOf(layer, view, w, stats));
        return pruneByScore(w, scores, view.columns, rule, sparsity, permute ? ctx.rng.fork(layer.name) : undefined);
      },
    },
    options,
  );
};

/**
 * Keeps N weights of each M that follow one another along the inputs: "2:4" is what sparse tensor cores run.
 *
 * Layers whose rows M does not divide are left alone. `sparseGpt({ pattern })` corrects what stays as well.
 * Sources: arXiv:2104.08378; permutations: Pool and Yu, NeurIPS 2021.
 *
 * @throws EspalierError `BAD_OPTION` for options out of range, `MISSING_NEED` with the score "wanda" and no data
 */
export const nm = ({
  pattern = USUAL_PATTERN,
  score = "magnitude",
  permute = false,
  ...options
}: NmOptions = {}): Pass => {
  if (permute && pattern !== USUAL_PATTERN)
    throw badOption(NAME, `permute is for the pattern ${USUAL_PATTERN}, and pattern is "${pattern}". Leave one out.`);
  if (typeof score === "string" && score !== "magnitude" && score !== "wanda")
    throw badOption(NAME, `score "${score as string}" is unknown. Choose "magnitude", "wanda", or give a function.`);
  if (score === "wanda") return byInputs(permute, { pattern, ...options });
  return byWeights(score === "magnitude" ? magnitudeScore : score, permute, { pattern, ...options });
};
