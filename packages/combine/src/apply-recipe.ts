import { type ContextOptions, chain, type Model, missingNeeds, runPass } from "@espalier/core";
import { withFold } from "./fold-pass.ts";
import { checkPasses } from "./order.ts";
import { type ImportModule, loadPasses } from "./recipe/load-passes.ts";
import type { PassRecipe, Target } from "./recipe/recipe.ts";
import { onePerLayer } from "./report/one-per-layer.ts";
import type { LayerEntry } from "./report/report.ts";

export interface ApplyOptions extends Omit<ContextOptions, "report"> {
  readonly target: Target;
  readonly importModule?: ImportModule;
}

/** What a recipe made of a model. */
export interface Made {
  readonly model: Model;
  readonly layers: readonly LayerEntry[];
  /** A pass took statistics from calibration data. */
  readonly calibrated: boolean;
}

/**
 * The model that the passes of a recipe make, all checked before the first runs. Before the first that quantizes, what
 * does not depend on the input is computed beforehand (`fold`).
 *
 * @throws EspalierError `BAD_RECIPE`, `CONFLICT`, `MISSING_NEED`, `ABORTED`, and what the passes throw
 */
export const applyRecipe = async (
  model: Model,
  recipe: PassRecipe,
  { target, importModule, ...context }: ApplyOptions,
): Promise<Made> => {
  const passes = await loadPasses(recipe, importModule, target);
  checkPasses(passes, context);
  const entries: LayerEntry[] = [];
  const made = await runPass(model, chain(withFold(passes), recipe.name), {
    ...context,
    report: (entry) => entries.push(entry),
  });
  const calibrated = passes.some((pass) => missingNeeds(pass, {}).includes("calibration"));
  return { model: made, layers: onePerLayer(entries), calibrated };
};
