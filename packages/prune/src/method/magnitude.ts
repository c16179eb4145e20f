import { type Context, checkAborted, definePass, type Model, type Pass } from "@espalier/core";
import { badOption, emptied } from "../errors.ts";
import { roundHalfEven } from "../half-even.ts";
import { clear } from "../pattern/drop.ts";
import { thresholdOf } from "../pattern/threshold.ts";
import { magnitudeScore } from "../score/magnitude.ts";
import { type Score, scoresOf, weightsOf } from "../score/score.ts";
import { type Planned, planLayers } from "./plan.ts";
import { pruneByScore } from "./prune-by-score.ts";
import { type PruneOptions, type Rule, ruleOf } from "./prune-options.ts";
import { putPruned, type Result, reportPruned, resultOf } from "./put-pruned.ts";

export interface MagnitudeOptions extends PruneOptions {
  /** Among which weights those that go are the lowest: of each layer, of all layers together, or of each output. */
  readonly scope?: "layer" | "global" | "row";
  /** In place of a sparsity: weights of |w| below this many standard deviations of their layer go. */
  readonly quality?: number;
  /** What tells weights that go from those that stay: |w|, or a function of your own. */
  readonly score?: Score;
}

const NAME = "prune/magnitude";

/** Share of a layer's weights below `quality` standard deviations of it. Source: Han et al. 2015. */
const shareBelow = (w: Float32Array, quality: number): number => {
  let [sum, squares, count] = [0, 0, 0];
  for (const value of w) {
    sum += value;
    squares += value * value;
  }
  const threshold = quality * Math.sqrt(squares / w.length - (sum / w.length) ** 2);
  for (const value of w) if (Math.abs(value) < threshold) count++;
  return count / w.length;
};

/** The scores of a planned layer, from its weight as it is. */
const scored = async (score: Score, { layer, view }: Planned): Promise<{ w: Float32Array; scores: Float32Array }> => {
  const w = view.toRows(await layer.weight.read());
  return { w, scores: scoresOf(NAME, score, weightsOf(layer, view, w, undefined)) };
};

/** Results of all layers with the lowest scores of all of them gone. */
const pruneTogether = async (
  plan: readonly Planned[],
  score: Score,
  sparsity: number,
  { signal }: Pick<Context, "signal">,
): Promise<Result[]> => {
  const total = plan.reduce((sum, { view: { rows, columns } }) => sum + rows * columns, 0);
  const count = roundHalfEven(sparsity * total);
  if (count === 0) return [];
  const threshold = await thresholdOf(async (visit) => {
    for (const planned of plan) {
      checkAborted(NAME, signal);
      visit((await scored(score, planned)).scores);
    }
  }, count);
  let { ties } = threshold;
  const empty: string[] = [];
  const results: Result[] = [];
  for (const planned of plan) {
    checkAborted(NAME, signal);
    const { w, scores } = await scored(score, planned);
    let kept = 0;
    const drop = Uint8Array.from(scores, (value) => {
      const goes = value < threshold.value || (value === threshold.value && ties-- > 0);
      if (!goes) kept++;
      return goes ? 1 : 0;
    });
    if (kept === 0) empty.push(planned.layer.name);
    results.push(resultOf(planned.layer, planned.view, clear(w, drop)));
  }
  if (empty.length > 0) throw emptied(NAME, empty, sparsity);
  return results;
};

/**
 * Sets the smallest weights to zero. What stays keeps its value; train on, or use `wanda` or `sparseGpt`, where more than
 * half goes.
 *
 * Exactly `roundHalfEven(sparsity * n)` of the n weights of each scope go, of equal ones those that come first. Biases
 * and tables of embeddings are left alone. Weights that are zero already have the lowest score, so that a later call with
 * a higher sparsity keeps the mask of an earlier one.
 * Source: Han et al. 2015, arXiv:1506.02626.
 *
 * @throws EspalierError `BAD_OPTION` for options out of range, and where scope "global" would empty a layer
 */
export const magnitude = ({
  scope = "layer",
  quality,
  score = magnitudeScore,
  ...options
}: MagnitudeOptions = {}): Pass => {
  const rule: Rule = ruleOf(NAME, options, scope, undefined, true);
  if (rule.block && quality !== undefined)
    throw badOption(NAME, "quality looks at single weights, and pattern asks for blocks. Leave one out.");
  if (quality !== undefined && (options.sparsity ?? options.pattern) !== undefined)
    throw badOption(NAME, "quality, sparsity and pattern each say how many weights go. Give one of them.");
  if (quality !== undefined && !(quality >= 0)) throw badOption(NAME, `quality is ${quality}. Give 0 or more.`);
  if ((quality !== undefined || typeof options.ratios === "function") && scope === "global")
    throw badOption(NAME, 'scope "global" needs no ratio for each layer. Choose scope "layer" or "row".');
  const sparsityOf = async (planned: Planned): Promise<number> =>
    quality === undefined ? planned.sparsity : shareBelow(await planned.layer.weight.read(), quality);
  const apply = async (model: Model, ctx: Context): Promise<Model> => {
    const plan = await planLayers(NAME, model, ctx, { ...options, rule });
    const note = (result: Result) => reportPruned(NAME, ctx, result);
    if (rule.scope === "global") {
      ctx.progress({ kind: "start", task: NAME });
      const results = await pruneTogether(plan, score, rule.sparsity, ctx);
      ctx.progress({ kind: "end", task: NAME });
      results.forEach(note);
      return putPruned(model, results);
    }
    const results: Result[] = [];
    ctx.progress({ kind: "start", task: NAME, total: plan.length });
    for (const [index, planned] of plan.entries()) {
      checkAborted(NAME, ctx.signal);
      const { layer, view } = planned;
      const { w, scores } = await scored(score, planned);
      const { rows, promise } = pruneByScore(w, scores, view.columns, rule, await sparsityOf(planned));
      const result = resultOf(layer, view, rows, promise);
      results.push(result);
      note(result);
      ctx.progress({ kind: "step", task: NAME, done: index + 1, total: plan.length, note: layer.name });
    }
    ctx.progress({ kind: "end", task: NAME });
    return putPruned(model, results);
  };
  return definePass({ name: NAME, stage: "sparsify", traits: { preserves: ["espalier.masks"] }, apply });
};
