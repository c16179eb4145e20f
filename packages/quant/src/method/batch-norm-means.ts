import { type Context, floatValues, type Model, type Node, openSession, producers, type Tensor } from "@espalier/core";
import { clippedNormalMean } from "../range/clipped-normal.ts";
import type { BiasPlace } from "./bias-places.ts";

/** What an activation clips to; undefined for other operators. */
const boundsOf = async ({ graph }: Model, { opType, inputs }: Node): Promise<readonly [number, number] | undefined> => {
  if (opType === "Relu") return [0, Number.POSITIVE_INFINITY];
  if (opType !== "Clip") return undefined;
  const bound = async (name: string | undefined, usual: number) => {
    const found = name ? graph.weights.get(name) : undefined;
    return found ? (await floatValues(found))[0]! : usual;
  };
  return [await bound(inputs[1], Number.NEGATIVE_INFINITY), await bound(inputs[2], Number.POSITIVE_INFINITY)];
};

/** Means of the channels of each layer's input, where a BatchNormalization with a Relu or Clip at most makes it. */
export const inputMeans = async (
  model: Model,
  places: readonly BiasPlace[],
): Promise<ReadonlyMap<BiasPlace, Float64Array>> => {
  const makers = producers(model.graph);
  const found = new Map<BiasPlace, Float64Array>();
  for (const place of places) {
    const last = makers.get(place.layer.input);
    const bounds = last && (await boundsOf(model, last));
    const norm = bounds ? makers.get(last.inputs[0]!) : last;
    if (norm?.opType !== "BatchNormalization") continue;
    const [scale, shift] = [norm.inputs[1], norm.inputs[2]].map((name) => model.graph.weights.get(name!));
    if (!scale || !shift) continue;
    const [deviations, means] = [await floatValues(scale), await floatValues(shift)];
    const [low, high] = bounds ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    found.set(
      place,
      Float64Array.from(means, (mean, c) => clippedNormalMean(mean, Math.abs(deviations[c]!), low, high)),
    );
  }
  return found;
};

/** Values of a model that hang on none of its inputs, by name. */
const constants = async (
  model: Model,
  names: readonly string[],
  ctx: Context,
): Promise<Readonly<Record<string, Tensor>>> => {
  const makers = producers(model.graph);
  const needed = new Set<Node>();
  const pending = [...names];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const node = makers.get(name);
    if (!node || needed.has(node)) continue;
    needed.add(node);
    pending.push(...node.inputs);
  }
  const nodes = model.graph.nodes.filter((node) => needed.has(node));
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const weights = new Map([...model.graph.weights].filter(([name]) => read.has(name)));
  const outputs = names.map((name) => ({ name, type: { kind: "tensor", type: "float32" } as const }));
  const alone: Model = {
    ...model,
    graph: { ...model.graph, nodes, weights, inputs: [], outputs, values: [], sparseWeights: [] },
  };
  const session = await openSession(ctx.ort!, alone);
  try {
    return await session.run({});
  } finally {
    await session.release();
  }
};

/** -(W̃ - W) E[x] of each place whose weight the quantized model decodes under its own name. */
export const weightErrors = async (
  made: Model,
  places: readonly BiasPlace[],
  means: ReadonlyMap<BiasPlace, Float64Array>,
  ctx: Context,
): Promise<ReadonlyMap<BiasPlace, Float64Array>> => {
  const results = new Set(made.graph.nodes.flatMap(({ outputs }) => outputs));
  const chosen = places.filter((place) => means.has(place) && results.has(place.layer.weight.name));
  const found = new Map<BiasPlace, Float64Array>();
  if (chosen.length === 0) return found;
  const values = await constants(made, [...new Set(chosen.map(({ layer }) => layer.weight.name))], ctx);
  for (const place of chosen) {
    const { weight, groups, kind } = place.layer;
    const { layout, dims } = weight;
    const [out, inputs, ...kernel] = dims as [number, number, ...number[]];
    const size = kernel.reduce((a, b) => a * b, 1);
    const w = await weight.read();
    const turned = layout.order.join() !== layout.order.toSorted((a, b) => a - b).join();
    const raw = values[weight.name]!.data as Float32Array;
    const at = (o: number, i: number, k: number) => (turned ? raw[i * out + o]! : raw[(o * inputs + i) * size + k]!);
    const mean = means.get(place)!;
    const part = out / (kind === "conv" ? groups : 1);
    const added = new Float64Array(out);
    for (let o = 0; o < out; o++)
      for (let i = 0; i < inputs; i++)
        for (let k = 0; k < size; k++)
          added[o]! -= (at(o, i, k) - w[(o * inputs + i) * size + k]!) * (mean[Math.floor(o / part) * inputs + i] ?? 0);
    found.set(place, added);
  }
  return found;
};
