import { brotliBytes, isEspalierError, type Model, measureSize, streamOnnx } from "@espalier/core";
import type { ApplyOptions, PassList } from "./apply-recipe.ts";
import { budgetOf } from "./budget.ts";
import { badOption } from "./errors.ts";
import { orderPasses } from "./order.ts";
import { outcomeOf } from "./outcome.ts";
import { parseRecipe, recipeOf } from "./recipe/parse-recipe.ts";
import { type Recipe, type Target, targets } from "./recipe/recipe.ts";
import type { Report } from "./report/report.ts";
import { unchangedWarning, warningsOf } from "./report/warnings.ts";
import type { CompressOptions } from "./settings.ts";

export interface Compressed {
  /** The very model that came in where nothing could be done. */
  readonly model: Model;
  readonly report: Report;
  /** The budget is kept. */
  readonly met: boolean;
  /** The signal was raised, and this is the best so far. */
  readonly stopped: boolean;
}

const checkOptions = ({ maxDrop, measure, target, recipe, passes }: CompressOptions) => {
  if (passes && recipe !== undefined) throw badOption("passes and recipe are both given. Leave one of them out.");
  if (passes?.length === 0) throw badOption("passes is empty. Give at least one, or a recipe.");
  if (target !== undefined && !targets.includes(target))
    throw badOption(`target is "${target}". Choose one of ${targets.join(", ")}.`);
  if (maxDrop === undefined) return;
  if (!(maxDrop >= 0)) throw badOption(`maxDrop is ${maxDrop}. Give a number of at least 0.`);
  if (measure === false) throw badOption("maxDrop cannot be kept with measure: false. Leave one of them out.");
};

const applyOptions = (
  { data, ort, webOrt, seed, threads, kernels, stats, tf, signal, progress, importModule }: CompressOptions,
  target: Target,
): ApplyOptions => {
  const runtime = ort ?? webOrt;
  return {
    target,
    ...(importModule && { importModule }),
    ...(data?.calibration && { calibration: data.calibration }),
    ...(data?.training && { training: data.training }),
    ...(tf && { tf }),
    ...(runtime && { ort: runtime }),
    ...(seed !== undefined && { seed }),
    ...(threads !== undefined && { threads }),
    ...(kernels && { kernels }),
    ...(stats && { stats }),
    ...(signal && { signal }),
    ...(progress && { progress }),
  };
};

const recipeFrom = async ({ recipe = "auto", passes }: CompressOptions): Promise<Recipe | PassList> => {
  const sorted = passes && orderPasses(passes);
  if (sorted) return { name: sorted.map(({ name }) => name).join(" → "), values: sorted };
  return typeof recipe === "string" ? recipeOf(recipe) : parseRecipe(recipe);
};

/** Bytes after brotli, where that can be told: not in browsers, not beyond one file, not once stopped. */
const brotliOf = async (model: Model, signal: AbortSignal | undefined): Promise<number | undefined> => {
  try {
    return await brotliBytes(streamOnnx(model), signal ? { signal } : {});
  } catch (error) {
    if (isEspalierError(error) && (error.code === "ABORTED" || error.code === "TOO_LARGE")) return undefined;
    throw error;
  }
};

const peakRss = (): number | undefined => {
  const usage = (globalThis as { process?: NodeJS.Process }).process?.resourceUsage?.();
  return usage && usage.maxRSS * 1024;
};

/**
 * A smaller model by a recipe, and the report: what was done with every layer, and what it changed.
 *
 * By default `auto`: tries the named recipes and gives the smallest result that keeps fidelity (relative L2 at most 0.1
 * on each float output, argmax agreement at least 0.98 on scores of classes; or `maxDrop`) and, but for target "size",
 * at most 1.1 times the latency. Where none does, the one that is closest, with `met: false`. Which one that is hangs on
 * measured latency; the bytes of each recipe's result are the same for the same input, data, seed and runtime.
 *
 * Once the signal is raised: the best so far, with `stopped: true`.
 *
 * @throws EspalierError `BAD_RECIPE`, `BAD_OPTION`, `CONFLICT`; `MISSING_NEED` without a runtime to measure on or the
 *   calibration data that a pass needs; `RUNTIME` where the runtime refuses the model that came in; `BAD_DATA`;
 *   `ABORTED` where there is nothing yet
 */
export const compress = async (model: Model, options: CompressOptions = {}): Promise<Compressed> => {
  const started = performance.now();
  checkOptions(options);
  const { measure = true, signal, maxDrop } = options;
  const recipe = await recipeFrom(options);
  const { target: own, budget: limits } = "values" in recipe ? {} : recipe;
  const target = options.target ?? own ?? "node";
  const budget = budgetOf(limits, { maxDrop, target, search: "candidates" in recipe && measure });
  const inputBytes = measureSize(model).bytes;
  const {
    trial,
    stopped,
    rows,
    data,
    warnings = [],
  } = await outcomeOf(recipe, {
    model,
    budget,
    inputBytes,
    target,
    apply: applyOptions(options, target),
    options,
  });
  const done = trial?.changed ? trial : undefined;
  const result = done?.model ?? model;
  const outputBytes = done?.bytes ?? inputBytes;
  const met = done ? done.excess.length === 0 : outputBytes <= (budget.bytes ?? outputBytes);
  const brotli = measure && !stopped ? await brotliOf(model, signal) : undefined;
  const smaller = brotli !== undefined && done ? await brotliOf(result, signal) : brotli;
  const peakRssBytes = peakRss();
  const measured = done?.measured;
  const layers = trial?.layers ?? [];
  const report: Report = {
    input: { bytes: inputBytes, ...(brotli !== undefined && { brotli }) },
    output: { bytes: outputBytes, ...(smaller !== undefined && { brotli: smaller }) },
    recipe: trial?.recipe.name ?? recipe.name,
    target,
    layers,
    ...(rows && { candidates: rows }),
    ...(measured && { fidelity: measured.fidelity, latency: measured.latency, data }),
    ...(measured?.metrics && { metrics: measured.metrics }),
    budget,
    met,
    stopped,
    seconds: (performance.now() - started) / 1000,
    ...(peakRssBytes !== undefined && { peakRssBytes }),
    warnings: [],
  };
  const missed = done ? done.excess.map(({ reason }) => `budget not kept: ${reason}`) : [unchangedWarning(layers)];
  return {
    model: result,
    report: {
      ...report,
      warnings: [...warnings, ...missed, ...warningsOf({ report, measured, calibrated: done?.calibrated === true })],
    },
    met,
    stopped,
  };
};
