import {
  type Context,
  EspalierError,
  type Layer,
  layers,
  type Model,
  type Selection,
  unselected,
  upgradeOpset,
} from "@espalier/core";
import {
  type FitOptions,
  type FitResult,
  reportTrained,
  type Trainable,
  type TrainOptions,
  trainModel,
} from "@espalier/core/train";
import { type LearnedLayer, putLearned } from "./put-learned.ts";

/** Options of passes that quantize while they train. */
export interface TrainQuantOptions extends TrainOptions, Selection {}

/** DequantizeLinear and Clip as they are used here. */
const OPSET = 13;
const BYTES = 4;

/** Linear and convolutional layers of the main graph that are trained and used once. */
const quantizable = (where: string, model: Model, net: Trainable, ctx: Context, options: Selection): Layer[] => {
  const reasonOf = unselected(options);
  const found = layers(model).filter((layer) => {
    const { kind, path, uses, weight, name } = layer;
    let reason = reasonOf(layer);
    if (kind !== "linear" && kind !== "conv") reason ??= `it is ${kind}`;
    if (path.length > 0) reason ??= "it is in a subgraph";
    if (uses.length > 1) reason ??= "its weight is used twice";
    if (!net.weights.has(weight.name)) reason ??= "it is not trained";
    if (uses[0].node.inputs[uses[0].index] !== weight.name) reason ??= "its weight comes through other nodes";
    if (reason !== undefined) ctx.report({ pass: where, layer: name, action: "skipped", reason });
    return reason === undefined;
  });
  if (found.length > 0) return found;
  throw new EspalierError(
    "BAD_OPTION",
    where,
    "no layer that is trained is quantized. Name others in only, skip or train.",
  );
};

export interface Quantizing {
  readonly net: Trainable;
  /** In the order of the model. */
  readonly layers: readonly Layer[];
  fitted(more?: Partial<FitOptions>): Promise<FitResult>;
}

/** The model that a method trains, its layers in integers as `run` leaves them. */
export const trainQuantized = (
  where: string,
  given: Model,
  ctx: Context,
  { skip, only, ...options }: TrainQuantOptions,
  run: (
    quantizing: Quantizing,
  ) => Promise<{ readonly result: FitResult; readonly learned: readonly LearnedLayer[]; readonly form: string }>,
): Promise<Model> => {
  const model = (given.opsets.get("") ?? OPSET) < OPSET ? upgradeOpset(given, OPSET) : given;
  return trainModel(where, model, ctx, options, async (net, fitted) => {
    const chosen = quantizable(where, model, net, ctx, { skip, only });
    const { result, learned, form } = await run({ net, layers: chosen, fitted });
    reportTrained(where, ctx, net, result);
    for (const { layer, codes } of learned)
      ctx.report({
        pass: where,
        layer: layer.name,
        action: "changed",
        form,
        bytesBefore: BYTES * codes.length,
        bytesAfter: codes.length + BYTES,
      });
    const written = await net.write();
    const byName = new Map(layers(written).map((layer) => [layer.name, layer]));
    return putLearned(
      written,
      learned.map((one) => ({ ...one, layer: byName.get(one.layer.name) ?? one.layer })),
    );
  });
};
