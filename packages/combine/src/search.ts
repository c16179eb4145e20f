import { checkAborted, isEspalierError, type Model, type ProgressEvent } from "@espalier/core";
import type { ApplyOptions } from "./apply-recipe.ts";
import { badRecipe } from "./errors.ts";
import { fingerprint } from "./fingerprint.ts";
import { tryLoadPasses } from "./recipe/load-passes.ts";
import { candidateOf } from "./recipe/parse-recipe.ts";
import type { Budget, PassRecipe, SearchRecipe } from "./recipe/recipe.ts";
import type { Reference } from "./reference.ts";
import type { CandidateRow } from "./report/report.ts";
import { makeTrial, measuredTrial, type Trial } from "./trial.ts";

export interface SearchOptions extends ApplyOptions {
  readonly reference: Reference;
  readonly budget: Budget;
  /** The user scores models. */
  readonly evaluates: boolean;
  readonly inputBytes: number;
  readonly progress: (event: ProgressEvent) => void;
}

export interface SearchResult {
  /** The smallest that keeps the budget, else the one closest to it; undefined where no candidate changes anything. */
  readonly best: Trial | undefined;
  readonly rows: readonly CandidateRow[];
  readonly stopped: boolean;
}

/** A result that saves less of the input's bytes is not worth a change: of a model that is compressed already. */
const LEAST_SAVED = 0.02;

const codeOf = (error: unknown) => (isEspalierError(error) ? error.code : undefined);

const reasonOf = (error: unknown) =>
  (error instanceof Error ? error.message : String(error)).replace(/^\[[^\]]*\] /, "").split("\n")[0]!;

/** How far over the budget: by the limit that is exceeded most. */
const times = ({ excess }: Trial) => Math.max(0, ...excess.map((one) => one.times));

/** The better of two: less over the budget, then smaller; the first of equals. */
const better = (a: Trial | undefined, b: Trial): Trial => {
  if (!a) return b;
  const nearer = times(b) - times(a);
  return nearer < 0 || (nearer === 0 && b.bytes < a.bytes) ? b : a;
};

const rowOf = (trial: Trial, verdict: CandidateRow["verdict"], reason?: string): CandidateRow => {
  const { recipe, bytes, measured } = trial;
  return {
    recipe: recipe.name,
    bytes,
    ...(measured && { latencyRatio: measured.latency.ratio, fidelity: measured.fidelity }),
    ...(measured?.metrics && { metrics: measured.metrics.after }),
    verdict,
    ...(reason !== undefined && { reason }),
  };
};

/** Nothing tells good results from bad ones: no output says anything, and the user scores none. */
const isBlind = ({ measured }: Trial) => measured?.counted.length === 0 && measured.metrics === undefined;

const blindReason = ({ measured }: Trial) =>
  `fidelity cannot be judged: ${measured!.silent.map(({ name, reason }) => `"${name}" is ${reason}`).join(", ")}`;

/** One candidate: made, compared with those before it, measured and judged. */
const tryOne = async (
  model: Model,
  recipe: PassRecipe,
  { best, made }: { best: Trial | undefined; made: ReadonlyMap<string, string> },
  { reference, budget, evaluates, inputBytes, ...options }: SearchOptions,
): Promise<{ row: CandidateRow; trial?: Trial; key?: string }> => {
  let trial: Trial;
  try {
    trial = await makeTrial(model, recipe, options);
  } catch (error) {
    if (codeOf(error) === "ABORTED") throw error;
    const verdict = codeOf(error) === "MISSING_NEED" ? "skipped" : "failed";
    return { row: { recipe: recipe.name, verdict, reason: reasonOf(error) } };
  }
  if (!trial.changed) return { row: rowOf(trial, "skipped", "changes no layer") };
  if (trial.bytes > (1 - LEAST_SAVED) * inputBytes)
    return { row: rowOf(trial, "over", `saves less than ${LEAST_SAVED * 100} % of the input's ${inputBytes} bytes`) };
  const key = await fingerprint(trial.model);
  const twin = key === undefined ? undefined : made.get(key);
  if (twin !== undefined) return { row: rowOf(trial, "skipped", `the same as ${twin}`) };
  const larger = best !== undefined && best.excess.length === 0 && trial.bytes >= best.bytes;
  try {
    // A drop that is not evaluated is not judged, and not by a distance in another unit either.
    const limits = evaluates && larger ? { ...budget, maxDrop: undefined } : budget;
    const measured = await measuredTrial(trial, { reference, budget: limits, evaluate: evaluates && !larger });
    if (measured.excess.length > 0) {
      const reason = measured.excess.map((one) => one.reason).join("; ");
      return { row: rowOf(measured, "over", reason), trial: measured, key };
    }
    const blind = best?.excess.length === 0 && isBlind(measured);
    if (blind) return { row: rowOf(measured, "skipped", blindReason(measured)), key };
    const reason = larger ? `larger than ${best.recipe.name}` : undefined;
    return { row: rowOf(measured, "good", reason), key, ...(!larger && { trial: measured }) };
  } catch (error) {
    if (codeOf(error) === "ABORTED") throw error;
    return { row: rowOf(trial, "failed", reasonOf(error)) };
  }
};

/** Loads the passes of all candidates before the first is tried. */
const checkCandidates = async (candidates: readonly PassRecipe[], { importModule, target }: SearchOptions) => {
  const problems: string[] = [];
  for (const [i, candidate] of candidates.entries()) {
    const where = `recipe.candidates[${i}]`;
    problems.push(...(await tryLoadPasses(candidate, { importModule, target, where })).problems);
  }
  if (problems.length > 0) throw badRecipe(problems);
};

/**
 * Tries the candidates of a recipe one after the other. A candidate that cannot be made or run is a row with the
 * reason. When the signal is raised, the best so far.
 *
 * @throws EspalierError `BAD_RECIPE` for a candidate that is written wrongly; `ABORTED` where nothing was tried yet
 */
export const search = async (model: Model, recipe: SearchRecipe, options: SearchOptions): Promise<SearchResult> => {
  const { progress, signal } = options;
  const candidates = recipe.candidates.map(candidateOf);
  await checkCandidates(candidates, options);
  const rows: CandidateRow[] = [];
  const made = new Map<string, string>();
  let best: Trial | undefined;
  let bestRow = -1;
  let stopped = false;
  progress({ kind: "start", task: recipe.name, total: candidates.length });
  for (const candidate of candidates) {
    progress({ kind: "step", task: recipe.name, done: rows.length, total: candidates.length, note: candidate.name });
    try {
      checkAborted(recipe.name, signal);
      const { row, trial, key } = await tryOne(model, candidate, { best, made }, options);
      rows.push(row);
      if (key !== undefined) made.set(key, candidate.name);
      if (trial && better(best, trial) === trial) [best, bestRow] = [trial, rows.length - 1];
    } catch (error) {
      if (codeOf(error) !== "ABORTED" || !best) throw error;
      stopped = true;
      break;
    }
  }
  progress({ kind: "end", task: recipe.name });
  const marked = rows.map(
    (row, i): CandidateRow => (i === bestRow && row.verdict === "good" ? { ...row, verdict: "chosen" } : row),
  );
  return { best, rows: marked, stopped };
};
