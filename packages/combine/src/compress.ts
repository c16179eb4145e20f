import { type Model, onnxBytes } from "@espalier/core";
import { applyRecipe } from "./apply-recipe.ts";
import { candidateOf, parseRecipe, recipeOf } from "./recipe/parse-recipe.ts";
import { isSearch } from "./recipe/recipe.ts";
import type { Report } from "./report/report.ts";
import type { CompressOptions } from "./settings.ts";

export interface Compressed {
  readonly model: Model;
  readonly report: Report;
  /** The budget is kept. */
  readonly met: boolean;
  /** The signal was raised, and this is the best so far. */
  readonly stopped: boolean;
}

const peakRss = (): number | undefined => {
  const usage = (globalThis as { process?: NodeJS.Process }).process?.resourceUsage?.();
  return usage && usage.maxRSS * 1024;
};

export const compress = async (model: Model, options: CompressOptions = {}): Promise<Compressed> => {
  const started = performance.now();
  const { recipe: asked = "auto", data = {}, ort, seed, threads, signal, progress, importModule } = options;
  const recipe = typeof asked === "string" ? recipeOf(asked) : parseRecipe(asked);
  const chosen = isSearch(recipe) ? candidateOf(recipe.candidates[0]!) : recipe;
  const unmeasured = `nothing was measured to choose by: took ${chosen.name}, the first candidate`;
  const target = options.target ?? recipe.target ?? "node";
  const made = await applyRecipe(model, chosen, {
    target,
    ...(importModule && { importModule }),
    ...(data.calibration && { calibration: data.calibration }),
    ...(ort && { ort }),
    ...(seed !== undefined && { seed }),
    ...(threads !== undefined && { threads }),
    ...(signal && { signal }),
    ...(progress && { progress }),
  });
  const peakRssBytes = peakRss();
  const report: Report = {
    input: { bytes: onnxBytes(model) },
    output: { bytes: onnxBytes(made.model) },
    recipe: chosen.name,
    target,
    layers: made.layers,
    budget: recipe.budget ?? {},
    met: true,
    stopped: false,
    seconds: (performance.now() - started) / 1000,
    ...(peakRssBytes !== undefined && { peakRssBytes }),
    warnings: isSearch(recipe) ? [unmeasured] : [],
  };
  return { model: made.model, report, met: true, stopped: false };
};
