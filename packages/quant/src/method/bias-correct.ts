import {
  type Context,
  checkAborted,
  definePass,
  EspalierError,
  floatValues,
  type Model,
  observe,
  openSession,
  type Pass,
  runPass,
  type Selection,
  type Tensor,
  unselected,
  type ValueObserver,
} from "@espalier/core";
import { inputMeans, weightErrors } from "./batch-norm-means.ts";
import { type BiasPlace, biasPlaces, withBiases } from "./bias-places.ts";
import { corrections, probed } from "./probed-biases.ts";

export interface BiasCorrectOptions extends Selection {
  /** The pass that quantizes: what it does to the means of layers is corrected. */
  readonly quantize?: Pass;
  /**
   * Means of layers' results measured on calibration data, one layer after the other; or means of their inputs from the
   * BatchNormalization before them, which needs no data, and a model in which it is not folded.
   */
  readonly from?: "calibration" | "batch-norm";
  /** Samples that means are taken over. */
  readonly samples?: number;
}

const NAME = "quant/bias-correct";

/** Sums of each channel of a value. */
interface ChannelSums {
  sums: Float64Array;
  count: number;
}

const addChannels = (stats: ChannelSums, { dims, data }: Tensor, channels: number, axis: 1 | -1) => {
  const inner = axis === 1 ? dims.slice(2).reduce((a, b) => a * b, 1) : 1;
  const values = data as Float32Array;
  for (let i = 0; i < values.length; i++) stats.sums[Math.floor(i / inner) % channels]! += values[i]!;
  stats.count += values.length / channels;
};

const meansOf = ({ sums, count }: ChannelSums): Float64Array => sums.map((sum) => (count > 0 ? sum / count : 0));

/** Means of the results of layers, by the name of the value. */
const resultMeans = async (model: Model, places: readonly BiasPlace[], ctx: Context) => {
  const byValue = new Map(places.map((place) => [place.layer.output, place]));
  const observer: ValueObserver<ChannelSums> = {
    values: () => [...byValue.keys()],
    init: (value) => ({ sums: new Float64Array(byValue.get(value)!.channels), count: 0 }),
    update(stats, x, value) {
      const { channels, axis } = byValue.get(value)!;
      if (x.type === "float32") addChannels(stats, x, channels, axis);
    },
  };
  const stats = await observe(model, observer, ctx);
  return new Map([...stats].map(([value, sums]) => [value, meansOf(sums)]));
};

/**
 * What must be added to each bias so that the means of all results are those of the float model: layer by layer in the
 * order of the graph, each measured with the corrections before it in place.
 */
const measuredCorrections = async (model: Model, made: Model, places: readonly BiasPlace[], ctx: Context) => {
  const wanted = await resultMeans(model, places, ctx);
  const { model: open, nameOf } = probed(made, places);
  const own = corrections(places, nameOf);
  const outputs = places.map(({ layer }) => layer.output);
  const session = await openSession(ctx.ort!, open, {
    fetch: outputs,
    ...(ctx.threads !== undefined && { threads: ctx.threads }),
  });
  try {
    for (const [done, place] of places.entries()) {
      const { layer, channels, axis } = place;
      const stats: ChannelSums = { sums: new Float64Array(channels), count: 0 };
      for await (const feeds of ctx.calibration!()) {
        checkAborted(NAME, ctx.signal);
        const found = await session.run({ ...feeds, ...own.feeds() }, [layer.output]);
        addChannels(stats, found[layer.output]!, channels, axis);
      }
      const [now, float] = [meansOf(stats), wanted.get(layer.output)!];
      own.set(
        place,
        now.map((mean, c) => float[c]! - mean),
      );
      ctx.progress({ kind: "step", task: NAME, done: done + 1, total: places.length, note: layer.name });
    }
  } finally {
    await session.release();
  }
  return own.all();
};

/**
 * Bias correction: what a quantizer does to the mean of each channel of a layer's result is taken off the layer's bias,
 * and the model with those biases is quantized. Any pass and any stored form will do, activations on integers too.
 *
 *     b <- b + E[y] - E[ỹ]             measured, one layer after the other
 *     b <- b - (W̃ - W) E[x]            E[x] of a clipped normal with the moments of the BatchNormalization before
 *
 * Source: arXiv:1906.04721, section 4.2 and appendices B and D.
 *
 * @throws EspalierError `BAD_OPTION` without `quantize`
 */
export const biasCorrect = ({
  quantize,
  from = "calibration",
  samples = 16,
  skip,
  only,
}: BiasCorrectOptions = {}): Pass => {
  if (typeof quantize?.apply !== "function")
    throw new EspalierError(
      "BAD_OPTION",
      NAME,
      "quantize is missing. Give the pass whose error is to be corrected, such as rtn({ bits: 4 }).",
    );
  const measures = from === "calibration";
  const limited = (ctx: Context): Context => {
    const given = ctx.calibration;
    if (!given) return ctx;
    const calibration = async function* () {
      let left = samples;
      for await (const feeds of given()) {
        yield feeds;
        if (--left === 0) return;
      }
    };
    return { ...ctx, calibration };
  };
  const apply = async (model: Model, ctx: Context): Promise<Model> => {
    const quiet = { ...ctx, report: () => undefined };
    const made = await runPass(model, quantize, quiet);
    const reasonOf = unselected({ skip, only });
    const { places: all, refused } = biasPlaces(model);
    const results = new Set(made.graph.nodes.flatMap(({ outputs }) => outputs));
    const left = new Map(refused);
    const places = all.filter(({ layer }) => {
      const reason =
        reasonOf(layer) ?? (results.has(layer.output) ? undefined : "the quantizer gives its result no value");
      if (reason !== undefined) left.set(layer, reason);
      return reason === undefined;
    });
    ctx.progress({ kind: "start", task: NAME, total: places.length });
    const found = measures
      ? await measuredCorrections(model, made, places, limited(ctx))
      : await weightErrors(made, places, await inputMeans(model, places), ctx);
    ctx.progress({ kind: "end", task: NAME });
    for (const place of places)
      if (!found.has(place)) left.set(place.layer, "no BatchNormalization before it tells the means of its input");
    const read = new Map<string, Float32Array>();
    for (const { bias } of found.keys()) if (bias) read.set(bias, await floatValues(model.graph.weights.get(bias)!));
    for (const [layer, reason] of left)
      ctx.report({ pass: NAME, layer: layer.name, action: "note", reason: `bias not corrected: ${reason}` });
    for (const [{ layer }, added] of found)
      ctx.report({
        pass: NAME,
        layer: layer.name,
        action: "note",
        reason: `bias moved by at most ${Math.max(...added.map(Math.abs)).toPrecision(3)}`,
      });
    return runPass(withBiases(model, found, read), quantize, ctx);
  };
  return definePass({
    name: NAME,
    stage: "quantize",
    traits: {
      needs: [
        ...new Set([
          ...(quantize.traits?.needs ?? []),
          "ort" as const,
          ...(measures ? (["calibration"] as const) : []),
        ]),
      ],
    },
    apply,
  });
};
