import { type Graph, layers, type Model, walkGraphs } from "@espalier/core";
import { matrixView } from "./matrix-view.ts";
import { parseBlock, zerosInBlocks } from "./pattern/block.ts";

/** Key of the metadata that says which weights are pruned. */
export const MASKS = "espalier.masks";

/** What a pruning pass promised of a weight. The mask itself is where the weight is zero. */
export interface Mask {
  /** How many weights are zero at least. */
  readonly zeros: number;
  /** "4x4" where blocks are zero as one, and `zeros` counts them only; "N:M" where each M of a row, [out, in * kernel] ([out * kernel, in] of a transposed convolution), hold N weights at most. */
  readonly pattern?: string;
  /** The order of the columns in which the pattern holds, where it is not their own. */
  readonly order?: readonly number[];
}

/** Names of weights are unique within a graph: those in subgraphs stand behind the path to it. */
export const maskKey = (path: readonly string[], name: string): string => [...path, name].join("/");

export const pathsOf = (model: Model): ReadonlyMap<Graph, readonly string[]> =>
  new Map([...walkGraphs(model)].map(({ graph, path }) => [graph, path]));

/** Masks of a model's weights, by name; those in subgraphs behind the path to it. Empty where nothing was pruned. */
export const masksOf = (model: Model): ReadonlyMap<string, Mask> => {
  const text = model.metadata.get(MASKS);
  return new Map(text === undefined ? [] : Object.entries(JSON.parse(text) as Record<string, Mask>));
};

/** The model with masks of some weights noted, beside those that it has. */
export const withMasks = (model: Model, masks: ReadonlyMap<string, Mask>): Model => {
  if (masks.size === 0) return model;
  const all = [...masksOf(model), ...masks].sort(([a], [b]) => (a < b ? -1 : 1));
  const metadata = new Map(model.metadata);
  metadata.set(MASKS, JSON.stringify(Object.fromEntries(all)));
  return { ...model, metadata };
};

/** The model without the masks of weights that it no longer has. */
export const forgetMasks = (model: Model): Model => {
  const masks = masksOf(model);
  const paths = pathsOf(model);
  const kept = new Set(layers(model).map(({ weight }) => maskKey(paths.get(weight.owner) ?? [], weight.name)));
  const left = [...masks].filter(([key]) => kept.has(key));
  if (left.length === masks.size) return model;
  const metadata = new Map(model.metadata);
  metadata.set(MASKS, JSON.stringify(Object.fromEntries(left)));
  return { ...model, metadata };
};

export const zerosIn = (values: ArrayLike<number>): number => {
  let zeros = 0;
  for (let i = 0; i < values.length; i++) if (values[i] === 0) zeros++;
  return zeros;
};

const holds = (values: Float32Array, columns: number, { zeros, pattern, order }: Mask): boolean => {
  if (zerosIn(values) < zeros) return false;
  if (pattern === undefined) return true;
  const block = parseBlock("prune", pattern);
  if (block) return zerosInBlocks(values, columns, block) >= zeros;
  const [keep, of] = pattern.split(":").map(Number);
  for (let row = 0; row < values.length; row += columns)
    for (let from = 0; from < columns; from += of) {
      let kept = 0;
      for (let i = from; i < from + of; i++) if (values[row + (order ? order[i] : i)] !== 0) kept++;
      if (kept > keep) return false;
    }
  return true;
};

/**
 * Names of the weights whose mask no longer holds: a later pass filled zeros in, or took the weight away. What a pass
 * that lists "espalier.masks" in `preserves` must leave empty.
 */
export const brokenMasks = async (model: Model): Promise<string[]> => {
  const masks = masksOf(model);
  const paths = pathsOf(model);
  const kept = new Set<string>();
  for (const layer of layers(model)) {
    const { weight } = layer;
    const key = maskKey(paths.get(weight.owner) ?? [], weight.name);
    const mask = masks.get(key);
    if (!mask || kept.has(key)) continue;
    const { columns, toRows } = matrixView(layer);
    if (holds(toRows(await weight.read()), columns, mask)) kept.add(key);
  }
  return [...masks.keys()].filter((key) => !kept.has(key));
};
