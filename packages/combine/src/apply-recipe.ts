import {
  type Context,
  type ContextOptions,
  chain,
  type Model,
  missingNeeds,
  type Pass,
  type PassKernels,
  runPass,
  type TensorFlow,
} from "@espalier/core";
import { withFold } from "./fold-pass.ts";
import { checkPasses } from "./order.ts";
import { type ImportModule, loadPasses } from "./recipe/load-passes.ts";
import type { PassRecipe, Target } from "./recipe/recipe.ts";
import { onePerLayer } from "./report/one-per-layer.ts";
import type { LayerEntry } from "./report/report.ts";
import type { LazyKernels, LazyTensorFlow } from "./settings.ts";

/** Passes that are at hand, in the order in which they run. */
export interface PassList {
  readonly name: string;
  readonly values: readonly Pass[];
}

export interface ApplyOptions extends Omit<ContextOptions, "report" | "kernels" | "tf"> {
  readonly target: Target;
  readonly importModule?: ImportModule;
  readonly kernels?: PassKernels | LazyKernels;
  readonly tf?: TensorFlow | LazyTensorFlow;
}

/** What a recipe made of a model. */
export interface Made {
  readonly model: Model;
  readonly layers: readonly LayerEntry[];
  /** A pass changed something: it says so, or it says nothing and gave another model back. */
  readonly changed: boolean;
  /** A pass that quantizes took statistics from calibration data. */
  readonly calibrated: boolean;
}

/** The pass, with `changed` called where it gives another model back without a word in the report. */
const watched = (pass: Pass, changed: () => void): Pass => ({
  ...pass,
  async apply(model, ctx, stats) {
    let told = false;
    const report: Context["report"] = (entry) => {
      told = true;
      ctx.report(entry);
    };
    const made = await pass.apply(model, { ...ctx, report }, stats);
    if (!told && made !== model) changed();
    return made;
  },
});

/**
 * The model that the passes of a recipe make, all checked before the first runs. Before the first, or behind the last that trains, what
 * does not depend on the input is computed beforehand (`fold`).
 *
 * @throws EspalierError `BAD_RECIPE`, `CONFLICT`, `MISSING_NEED`, `ABORTED`, and what the passes throw
 */
export const applyRecipe = async (
  model: Model,
  recipe: PassRecipe | PassList,
  { target, importModule, kernels: given, tf: givenTf, ...context }: ApplyOptions,
): Promise<Made> => {
  const passes = "values" in recipe ? recipe.values : await loadPasses(recipe, importModule, target);
  checkPasses(passes, context);
  const isCalibrated = (pass: Pass) => missingNeeds(pass, {}).includes("calibration");
  const computes = passes.some((pass) => pass.stage === "quantize" || isCalibrated(pass));
  const kernels = typeof given === "function" ? await (computes ? given() : undefined) : given;
  const trains = passes.some(({ traits }) => traits?.needs?.includes("training"));
  const tf = typeof givenTf === "function" ? await (trains ? givenTf() : undefined) : givenTf;
  const entries: LayerEntry[] = [];
  let changed = false;
  const all = withFold(passes.map((pass) => watched(pass, () => (changed = true))));
  const made = await runPass(model, chain(all, recipe.name), {
    ...context,
    ...(kernels && { kernels }),
    ...(tf && { tf }),
    report: (entry) => entries.push(entry),
  });
  return {
    model: made,
    layers: onePerLayer(entries),
    changed: changed || entries.some(({ action }) => action === "changed"),
    calibrated: passes.some((pass) => pass.stage === "quantize" && isCalibrated(pass)),
  };
};
