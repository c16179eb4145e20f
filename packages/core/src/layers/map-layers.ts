import { checkAborted } from "../abort.ts";
import type { Layer, LayerWeight } from "../layers.ts";
import type { Model } from "../model.ts";
import type { Context } from "../pass.ts";
import { type Selection, unselected } from "../select.ts";
import type { Tensor } from "../tensor.ts";
import { layers } from "./find-layers.ts";
import { replaceWeights } from "./replace-weights.ts";

export interface MapLayersOptions extends Selection {
  /** The pass that reports go by. */
  readonly pass?: string;
  /** What the report says of a changed layer. */
  readonly form?: string;
  /** Takes the progress and the reports, and may stop the work. */
  readonly context?: Pick<Context, "signal" | "progress" | "report">;
}

/**
 * The model with new values in the weights of its layers, one layer at a time, each in its own element type.
 *
 * @param change is given a layer and a copy of its weight, [out, in, ...kernel], which it may change in place; it
 *   returns the values to write, or undefined to leave the layer alone
 * @throws EspalierError `ABORTED`, `BAD_TENSOR` when the values are not as many as there were
 */
export const mapLayers = async (
  model: Model,
  change: (layer: Layer, w: Float32Array) => Float32Array | undefined | Promise<Float32Array | undefined>,
  { pass = "core/map-layers", form = "new values", context, ...selection }: MapLayersOptions = {},
): Promise<Model> => {
  const all = layers(model);
  const reasonOf = unselected(selection);
  const written = new Map<LayerWeight, Tensor>();
  context?.progress({ kind: "start", task: pass, total: all.length });
  for (const [index, layer] of all.entries()) {
    checkAborted(pass, context?.signal);
    const reason = reasonOf(layer);
    const values = reason === undefined ? await change(layer, await layer.weight.read()) : undefined;
    if (values) written.set(layer.weight, layer.weight.write(values));
    context?.report({
      pass,
      layer: layer.name,
      ...(values
        ? { action: "changed", form }
        : { action: "skipped", reason: reason ?? "the pass has nothing to change in it" }),
    });
    context?.progress({ kind: "step", task: pass, done: index + 1, total: all.length, note: layer.name });
  }
  context?.progress({ kind: "end", task: pass });
  return written.size === 0 ? model : replaceWeights(model, written);
};
