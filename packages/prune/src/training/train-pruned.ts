import { type Context, type Layer, layers, type Model, type Selection, unselected } from "@espalier/core";
import {
  type FitOptions,
  type FitResult,
  reportTrained,
  type Trainable,
  type TrainOptions,
  trainModel,
} from "@espalier/core/train";
import { badOption } from "../errors.ts";
import { MASKS, maskKey, pathsOf, withMasks, zerosIn } from "../mask.ts";

/** Options of passes that prune while they train. */
export interface TrainPruneOptions extends TrainOptions, Selection {}

/** A weight that is pruned in training. */
export interface Prunable {
  /** Its key in the net. */
  readonly key: string;
  readonly layer: Layer;
}

export const traits = { needs: ["training"], preserves: [MASKS] } as const;

const prunables = (where: string, model: Model, net: Trainable, ctx: Context, options: Selection): Prunable[] => {
  const paths = pathsOf(model);
  const reasonOf = unselected(options);
  const found: Prunable[] = [];
  for (const layer of layers(model)) {
    const key = maskKey(paths.get(layer.weight.owner) ?? [], layer.weight.name);
    const embedding = layer.kind === "embedding" ? "it is a table of embeddings" : undefined;
    const frozen = net.weights.has(key) ? undefined : "it is not trained";
    const reason = reasonOf(layer) ?? embedding ?? frozen;
    if (reason === undefined) found.push({ key, layer });
    else ctx.report({ pass: where, layer: layer.name, action: "skipped", reason });
  }
  if (found.length === 0)
    throw badOption(where, "no layer that is trained is pruned. Name others in only, skip or train.");
  return found;
};

/** What a method is given: the net, its weights to prune, and training with what the method adds. */
export interface Pruning {
  readonly net: Trainable;
  readonly weights: readonly Prunable[];
  fitted(more?: Partial<FitOptions>): Promise<FitResult>;
}

const PER_CENT = 100;

/**
 * The model that a method trains and prunes: the net is written back with the zeros that it has in the end, and its masks
 * noted.
 */
export const trainPruned = (
  where: string,
  model: Model,
  ctx: Context,
  { skip, only, ...options }: TrainPruneOptions,
  run: (pruning: Pruning) => Promise<FitResult>,
): Promise<Model> =>
  trainModel(where, model, ctx, options, async (net, fitted) => {
    const weights = prunables(where, model, net, ctx, { skip, only });
    reportTrained(where, ctx, net, await run({ net, weights, fitted }));
    const masks = new Map<string, { zeros: number }>();
    for (const { key, layer } of weights) {
      const values = (await net.weights.get(key)?.data()) as Float32Array;
      const zeros = zerosIn(values);
      masks.set(key, { zeros });
      const share = ((PER_CENT * zeros) / values.length).toFixed(1);
      ctx.report({ pass: where, layer: layer.name, action: "changed", form: `trained, ${share} % zeros` });
    }
    return withMasks(await net.write(), masks);
  });
