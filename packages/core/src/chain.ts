import { checkAborted } from "./abort.ts";
import { type ContextOptions, createContext } from "./context.ts";
import { EspalierError } from "./errors.ts";
import type { Model } from "./model.ts";
import { createRng } from "./numeric/rng.ts";
import { type Context, type Pass, stages } from "./pass.ts";
import { observe } from "./run/observe.ts";

/** What a pass needs that the context lacks. */
export const missingNeeds = (
  { traits, observe: observer }: Pass,
  ctx: Pick<Context, "calibration" | "ort" | "training">,
): string[] => {
  const needs = new Set<string>(traits?.needs ?? []);
  if (observer) needs.add("calibration").add("ort");
  const has: Record<string, boolean> = {
    calibration: ctx.calibration !== undefined,
    ort: ctx.ort !== undefined,
    training: ctx.training !== undefined,
  };
  return [...needs].filter((need) => has[need] === false);
};

const step = async (model: Model, pass: Pass, ctx: Context): Promise<Model> => {
  checkAborted(pass.name, ctx.signal);
  const missing = missingNeeds(pass, ctx);
  if (missing.length > 0) {
    throw new EspalierError(
      "MISSING_NEED",
      pass.name,
      `needs ${missing.join(" and ")}, which the context does not have. Give ${missing.map((need) => `\`${need}\``).join(" and ")}.`,
    );
  }
  const stats = pass.observe ? await observe(model, pass.observe, ctx) : new Map<string, unknown>();
  return pass.apply(model, { ...ctx, rng: createRng(ctx.seed).fork(pass.name) }, stats);
};

/**
 * Passes one after the other, as one pass. Each is calibrated on the model that the last one left, and draws its
 * random numbers from the seed and its own name.
 */
export const chain = (passes: readonly Pass[], name = passes.map((pass) => pass.name).join(" → ")): Pass => ({
  name,
  stage: stages.find((stage) => passes.some((pass) => pass.stage === stage)) ?? "encode",
  traits: {
    needs: [...new Set(passes.flatMap(({ traits }) => traits?.needs ?? []))],
    changesShapes: passes.some(({ traits }) => traits?.changesShapes === true),
  },
  async apply(model, ctx) {
    let current = model;
    for (const pass of passes) current = await step(current, pass, ctx);
    return current;
  },
});

/**
 * The model that a pass makes of `model`, calibrated first where the pass observes.
 *
 * @throws EspalierError `MISSING_NEED` where `options` lack what the pass needs, `ABORTED`, and what the pass throws
 */
export const runPass = (model: Model, pass: Pass, options: ContextOptions = {}): Promise<Model> =>
  step(model, pass, createContext(options));
