import { isEspalierError, type Model, type Ort } from "@espalier/core";
import type { ApplyOptions, PassList } from "./apply-recipe.ts";
import { noRuntime } from "./errors.ts";
import { candidateOf } from "./recipe/parse-recipe.ts";
import type { Budget, PassRecipe, SearchRecipe, Target } from "./recipe/recipe.ts";
import { openReference, type Reference } from "./reference.ts";
import type { CandidateRow, Report } from "./report/report.ts";
import { search } from "./search.ts";
import type { CompressOptions } from "./settings.ts";
import { judged, makeTrial, measuredTrial, type Trial } from "./trial.ts";

/** What came of a recipe. */
export interface Outcome {
  /** Undefined where no candidate could be made. */
  readonly trial: Trial | undefined;
  readonly stopped: boolean;
  readonly rows?: readonly CandidateRow[];
  readonly data?: Report["data"];
  readonly warnings?: readonly string[];
}

export interface Work {
  readonly model: Model;
  readonly budget: Budget;
  readonly inputBytes: number;
  readonly target: Target;
  readonly apply: ApplyOptions;
  readonly options: CompressOptions;
}

const isNative = (ort: Ort) => ort.env?.versions?.node !== undefined;

/** The runtime to measure on. @throws EspalierError `MISSING_NEED` */
const measuringOrt = ({ ort, webOrt }: CompressOptions, target: Target): Ort => {
  if (target !== "web") {
    if (ort) return ort;
    throw noRuntime("ort: onnxruntime-node or onnxruntime-web");
  }
  const web = webOrt ?? (ort && !isNative(ort) ? ort : undefined);
  if (web) return web;
  throw noRuntime("webOrt: onnxruntime-web");
};

const withReference = async <T>(
  { model, target, options }: Work,
  use: (reference: Reference) => Promise<T>,
): Promise<T> => {
  const { data = {}, seed = 0, threads, signal, progress = () => undefined } = options;
  const ort = measuringOrt(options, target);
  const reference = await openReference(model, { ort, data, seed, threads, signal, progress });
  try {
    return await use(reference);
  } finally {
    await reference.close();
  }
};

const evaluates = ({ options }: Work) => options.data?.evaluate !== undefined;

/** Passes only: of a search, those of its first candidate, which is the safe one. */
const unmeasured = async (
  recipe: PassRecipe | PassList | SearchRecipe,
  { model, budget, apply }: Work,
): Promise<Outcome> => {
  if ("candidates" in recipe) {
    const first = candidateOf(recipe.candidates[0]!);
    const warning = `nothing was measured to choose by: took ${first.name}, the first candidate of ${recipe.name}`;
    return { trial: await makeTrial(model, first, apply), stopped: false, warnings: [warning] };
  }
  const unchecked = Object.keys(budget).filter((limit) => limit !== "bytes");
  return {
    trial: judged(await makeTrial(model, recipe, apply), budget),
    stopped: false,
    warnings:
      unchecked.length > 0 ? [`${unchecked.join(", ")} of the budget not checked, as nothing was measured`] : [],
  };
};

/** One recipe, measured; as far as that came where the signal is raised after the passes are through. */
const single = async (recipe: PassRecipe | PassList, work: Work): Promise<Outcome> => {
  const { model, budget, apply, options, target } = work;
  measuringOrt(options, target);
  const trial = await makeTrial(model, recipe, apply);
  if (!trial.changed) return { trial, stopped: false };
  try {
    return await withReference(work, async (reference) => ({
      trial: await measuredTrial(trial, { reference, budget, evaluate: evaluates(work) }),
      data: reference.data,
      stopped: false,
    }));
  } catch (error) {
    if (!isEspalierError(error) || error.code !== "ABORTED") throw error;
    return { trial: judged(trial, budget), stopped: true };
  }
};

/** Runs a recipe as far as the options ask for. @throws EspalierError as `compress` */
export const outcomeOf = (recipe: PassRecipe | PassList | SearchRecipe, work: Work): Promise<Outcome> => {
  if (work.options.measure === false) return unmeasured(recipe, work);
  if (!("candidates" in recipe)) return single(recipe, work);
  return withReference(work, async (reference) => {
    const { budget, inputBytes, apply, model } = work;
    const { progress = () => undefined } = work.options;
    const found = await search(model, recipe, {
      ...apply,
      reference,
      budget,
      evaluates: evaluates(work),
      inputBytes,
      progress,
    });
    return { trial: found.best, rows: found.rows, stopped: found.stopped, data: reference.data };
  });
};
