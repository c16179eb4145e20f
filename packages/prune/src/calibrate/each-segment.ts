import {
  type Context,
  checkAborted,
  type DataType,
  type Feeds,
  type Layer,
  type LayerObserver,
  layers,
  type Model,
  observe,
  openSession,
  replaceWeights,
  type Segment,
  segmentModel,
  segments,
  type Tensor,
} from "@espalier/core";

/** What is done with a layer once its input is known: the tensor that it gets, or undefined to leave it. */
export type Treat<Stats> = (layer: Layer, stats: Stats | undefined) => Promise<Tensor | undefined>;

export interface EachSegmentOptions<Stats> {
  readonly where: string;
  /** Layers that are treated, by name. */
  readonly wanted: ReadonlySet<string>;
  readonly observer: (only: (layer: Layer) => boolean) => LayerObserver<Stats>;
}

type Values = Readonly<Record<string, Tensor>>;

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
async function* withCarried(ctx: Context, carried: readonly Values[]): AsyncGenerator<Feeds> {
  let index = 0;
  for await (const feeds of ctx.calibration!()) yield { ...feeds, ...carried[index++] };
}

const runOn = async (
  where: string,
  model: Model,
  ctx: Context,
  carried: readonly Values[],
  outputs: readonly string[],
) => {
  const session = await openSession(ctx.ort!, model, ctx.threads === undefined ? {} : { threads: ctx.threads });
  const found: Values[] = [];
  try {
    for await (const feeds of withCarried(ctx, carried)) {
      checkAborted(where, ctx.signal);
      const before = carried[found.length] ?? {};
      const kept = outputs.filter((name) => before[name]).map((name) => [name, before[name]]);
      const made = outputs.filter((name) => !before[name]);
      found.push({ ...Object.fromEntries(kept), ...(await session.run(feeds, made)) });
    }
  } finally {
    await session.release();
  }
  return found;
};

const typesOf = (carried: readonly Values[]): ReadonlyMap<string, DataType> =>
  new Map(Object.entries(carried[0] ?? {}).map(([name, { type }]) => [name, type]));

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
 * Memory: the values that cross a cut, usually one a sample, beside the statistics of one segment. Time: two runs of the
 * model over the data. A weight that several segments use is treated at its first use; layers in subgraphs get no statistics.
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
  let carried: readonly Values[] = [];
  for (const [index, piece] of pieces.slice(0, last + 1).entries()) {
    checkAborted(where, ctx.signal);
    const own = piece.layers.filter(({ name }) => wanted.has(name));
    const inner = replaced(segmentModel(model, piece, { types: typesOf(carried) }), tensors);
    const innerNames = new Map(
      layers(inner).flatMap(({ name, weight }) => (weight.owner === inner.graph ? [[weight.name, name] as const] : [])),
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
    if (index < last)
      carried = await runOn(where, replaced(inner, tensors), ctx, carried, crossing(model, pieces.slice(index + 1)));
  }
};
