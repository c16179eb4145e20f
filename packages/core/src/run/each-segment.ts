import { checkAborted } from "../abort.ts";
import { readsOf } from "../graph.ts";
import { layers } from "../layers/find-layers.ts";
import { replaceWeights } from "../layers/replace-weights.ts";
import type { Layer } from "../layers.ts";
import type { Model } from "../model.ts";
import type { Context, Feeds, LayerObserver } from "../pass.ts";
import { segmentModel } from "../segments/segment-model.ts";
import { type Segment, segments } from "../segments/segments.ts";
import type { Tensor } from "../tensor.ts";
import { type KeptValues, keptValues } from "./kept-values.ts";
import { observe } from "./observe.ts";
import { openSession } from "./session.ts";

/** What is done with a layer once its input is known: the tensor that it gets, or undefined to leave it. */
export type Treat<Stats> = (layer: Layer, stats: Stats | undefined) => Promise<Tensor | undefined>;

export interface EachSegmentOptions<Stats> {
  /** Name of the pass, for errors. */
  readonly where: string;
  /** Layers that are treated, by name. */
  readonly wanted: ReadonlySet<string>;
  readonly observer: (only: (layer: Layer) => boolean) => LayerObserver<Stats>;
}

/** New tensors by the name of the weight, put into a model that holds those weights. */
const replaced = (model: Model, tensors: ReadonlyMap<string, Tensor>): Model =>
  replaceWeights(
    model,
    layers(model).flatMap(({ weight }) => {
      const tensor = weight.owner === model.graph ? tensors.get(weight.name) : undefined;
      return tensor ? [[weight, tensor] as const] : [];
    }),
  );

/** Feeds of each sample with what crosses into the segment. */
async function* withCarried(ctx: Context, carried: KeptValues): AsyncGenerator<Feeds> {
  let index = 0;
  for await (const feeds of ctx.calibration!()) yield { ...feeds, ...carried.at(index++) };
}

/** What crosses the cut behind a segment: outputs of its model, and what came in and is needed later. */
const runOn = async (where: string, model: Model, ctx: Context, carried: KeptValues, outputs: readonly string[]) => {
  const found = keptValues();
  const session = await openSession(ctx.ort!, model, ctx.threads === undefined ? {} : { threads: ctx.threads });
  try {
    for await (const feeds of ctx.calibration!()) {
      checkAborted(where, ctx.signal);
      const before = carried.at(found.length);
      const kept = outputs.filter((name) => before[name]).map((name) => [name, before[name]] as const);
      const made = outputs.filter((name) => !before[name]);
      await found.add({ ...Object.fromEntries(kept), ...(await session.run({ ...feeds, ...before }, made)) });
    }
  } catch (error) {
    found.remove();
    throw error;
  } finally {
    await session.release();
    carried.remove();
  }
  return found;
};

/** Values that later segments take from this one or from those before it. */
const crossing = (model: Model, later: readonly Segment[]): readonly string[] => {
  const given = new Set(model.graph.inputs.map(({ name }) => name));
  const made = new Set<string>();
  const needed = new Set<string>();
  for (const { inputs, outputs } of later) {
    for (const name of inputs) if (!given.has(name) && !made.has(name)) needed.add(name);
    for (const name of outputs) made.add(name);
  }
  return [...needed];
};

/**
 * Treats the layers of a model segment by segment, each with statistics of what it meets once the segments before it have
 * been treated. The layers of one segment see what its own weights made of the input before they changed.
 *
 * Memory: the statistics of one segment, beside the values that cross a cut, usually one a sample; in Node, those beyond
 * 256 MB lie in a temporary file. Time: two runs of the model over the data. A weight that several segments use is
 * treated at its first use; layers in subgraphs get no statistics.
 */
export const eachSegment = async <Stats>(
  model: Model,
  ctx: Context,
  { where, wanted, observer }: EachSegmentOptions<Stats>,
  treat: Treat<Stats>,
): Promise<void> => {
  const pieces = segments(model);
  const tensors = new Map<string, Tensor>();
  const last = pieces.findLastIndex(({ layers: own }) => own.some(({ name }) => wanted.has(name)));
  let carried = keptValues();
  try {
    for (const [index, piece] of pieces.slice(0, last + 1).entries()) {
      checkAborted(where, ctx.signal);
      const own = piece.layers.filter(({ name }) => wanted.has(name));
      const inner = replaced(segmentModel(model, piece, { types: carried.types() }), tensors);
      const innerNames = new Map(
        layers(inner).flatMap(({ name, weight }) =>
          weight.owner === inner.graph ? [[weight.name, name] as const] : [],
        ),
      );
      const nameOf = ({ weight }: Layer) => (weight.owner === model.graph ? innerNames.get(weight.name) : undefined);
      const watched = new Set(own.map(nameOf));
      const data = () => withCarried(ctx, carried);
      const stats =
        own.length === 0
          ? new Map<string, Stats>()
          : await observe(
              inner,
              observer(({ name }) => watched.has(name)),
              {
                ...ctx,
                calibration: data,
                progress: () => undefined,
              },
            );
      for (const layer of own) {
        const innerName = nameOf(layer);
        const tensor = await treat(layer, innerName === undefined ? undefined : stats.get(innerName));
        if (tensor && innerName !== undefined) tensors.set(layer.weight.name, tensor);
      }
      if (index === last) break;
      const later = pieces.slice(index + 1);
      carried = await runOn(where, replaced(inner, tensors), ctx, carried, crossing(model, later));
      const read = new Set(later.flatMap(({ nodes }) => nodes.flatMap((node) => [...readsOf(node)])));
      for (const name of tensors.keys()) if (!read.has(name)) tensors.delete(name);
    }
  } finally {
    carried.remove();
  }
};
