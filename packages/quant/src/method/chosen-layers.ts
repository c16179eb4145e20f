import {
  type Context,
  EspalierError,
  type Layer,
  type LayerFilter,
  layerFilter,
  layers,
  type Model,
  type Selection,
  sizeOf,
  unselected,
} from "@espalier/core";
import { readElsewhere } from "../other-readers.ts";
import { unfit } from "./weight-fit.ts";
import { SMALL_TABLE_SHARE, smallLimit, weightsOf } from "./weight-pass.ts";
import { alwaysSensitive } from "./weight-plan.ts";

/** Which layers a method stores. */
export interface ChosenLayers extends Selection {
  /**
   * Layers that stay as they are: names, operator types, globs or a function. `auto`: recurrent and depthwise ones, small
   * tables, and the smallest layers, which a later pass (`rtn()`) may store in 8 bits.
   */
  readonly sensitive?: "auto" | LayerFilter;
  /** Embedding tables: stored as the other layers, or left as they are. */
  readonly embeddings?: "auto" | "float";
}

/** A plan, or why there is none; `refused` where the user asked for what cannot be. */
export type Planned<Item> = Item | { readonly reason: string; readonly refused?: boolean };

/**
 * The layers that a method stores, each with its plan; the others are reported.
 *
 * @throws EspalierError `UNSUPPORTED`, with all refused layers at once
 */
export const chosenLayers = <Item extends object>(
  name: string,
  model: Model,
  ctx: Context,
  { skip, only, sensitive = "auto", embeddings = "auto" }: ChosenLayers,
  planFor: (layer: Layer, readElsewhere: boolean) => Planned<Item>,
): ReadonlyMap<Layer, Item> => {
  const all = layers(model);
  const shared = readElsewhere(all);
  const [limit, smallTable] = [smallLimit(all), SMALL_TABLE_SHARE * weightsOf(all)];
  const judged = (layer: Layer) => alwaysSensitive(layer, smallTable) || sizeOf(layer.weight.dims) <= limit;
  const isSensitive = sensitive === "auto" ? judged : layerFilter(sensitive);
  const reasonOf = unselected({ skip, only });
  const chosen = new Map<Layer, Item>();
  const refused: string[] = [];
  for (const layer of all) {
    const reason =
      reasonOf(layer) ??
      unfit(layer) ??
      (layer.kind === "embedding" && embeddings === "float" ? 'embeddings: "float"' : undefined) ??
      (isSensitive(layer) ? "sensitive: left to a pass of more bits" : undefined);
    const plan = reason === undefined ? planFor(layer, shared.has(layer)) : { reason };
    if (!("reason" in plan)) chosen.set(layer, plan as Item);
    else if ("refused" in plan && plan.refused) refused.push(`layer "${layer.name}": ${plan.reason}.`);
    else ctx.report({ pass: name, layer: layer.name, action: "skipped", reason: plan.reason as string });
  }
  if (refused.length > 0)
    throw new EspalierError(
      "UNSUPPORTED",
      name,
      `${refused.join(" ")} Choose another form or block, form: "auto", or skip these layers.`,
    );
  return chosen;
};
