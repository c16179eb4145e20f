import { edit, floatValues, type Layer, type Model, makeNode, type Tensor, tensor } from "@espalier/core";
import type { Divided, ScalePlace } from "./scale-places.ts";

/** A place with what its channels are divided by before, and multiplied by behind. */
export interface ScaledPlace {
  readonly place: ScalePlace;
  /** [width], positive */
  readonly scales: Float32Array;
}

/** A matrix or vector whose channels, along the last axis or the first, are multiplied. */
const along = async ({ dims }: Tensor, values: Float32Array, scale: (channel: number) => number, last: boolean) => {
  const width = last ? (dims.at(-1) ?? 1) : dims[0]!;
  const inner = last ? 1 : values.length / width;
  return tensor(
    "float32",
    dims,
    values.map((value, i) => value * scale(Math.floor(i / inner) % width)),
  );
};

/** True where the input channels of a layer lie along the last axis of its file's matrix. */
const inputsLast = ({ weight }: Layer) => weight.layout.order.at(-1) === 1;

/**
 * The same function with other numbers in it: x / s comes out of the constants that make x, and layers that meet it have
 * their columns times s. Whoever else reads x gets it back by a product. Exact but for rounding.
 *
 * @throws EspalierError `TOO_LARGE`, `BAD_TENSOR` as reading weights does
 */
export const foldScales = async (model: Model, scaled: readonly ScaledPlace[]): Promise<Model> => {
  if (scaled.length === 0) return model;
  // A weight may be divided by one place and multiplied by another: values are changed in turn, and put in at the end.
  const values = new Map<string, Tensor>();
  const now = (name: string) => values.get(name) ?? model.graph.weights.get(name)!;
  const change = async (from: string, to: string, scale: (channel: number) => number, last: boolean) =>
    values.set(to, await along(now(from), await floatValues(now(from)), scale, last));
  /** Nodes that read a copy, by the name of their own: several may read the same constant, and only one be divided. */
  const renamed = new Map<Divided["node"], Map<number, string>>();
  const uses = new Map<string, number>();
  for (const node of model.graph.nodes) for (const name of node.inputs) uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const [i, { place, scales }] of scaled.entries()) {
    for (const { node, index, last } of place.divided) {
      const name = node.inputs[index]!;
      const shared = (uses.get(name) ?? 0) > 1;
      const own = renamed.get(node)?.get(index) ?? (shared ? `${name}/scaled${i}` : name);
      if (own !== name) renamed.set(node, (renamed.get(node) ?? new Map<number, string>()).set(index, own));
      await change(values.has(own) ? own : name, own, (channel) => 1 / scales[channel]!, last);
    }
    for (const layer of place.layers) {
      const { name } = layer.weight;
      await change(name, name, (channel) => scales[channel]!, inputsLast(layer));
    }
  }
  return edit(model, (draft) => {
    const { graph } = draft;
    const names = new Map<string, string>();
    for (const [name, value] of values)
      if (model.graph.weights.has(name)) graph.setWeight(name, value);
      else names.set(name, graph.addWeight(name, value));
    for (const [node, inputs] of renamed) {
      const current = graph.latest(node)!;
      const changed = current.inputs.map((name, index) => {
        const own = inputs.get(index);
        return own === undefined ? name : names.get(own)!;
      });
      graph.replace(current, { ...current, inputs: changed });
    }
    for (const { place, scales } of scaled) {
      if (place.others.length === 0) continue;
      const [back, factor] = [
        graph.uniqueName(`${place.value}/back`),
        graph.addWeight(`${place.value}/scales`, tensor("float32", [place.width], scales)),
      ];
      for (const { node, index } of place.others) {
        const current = graph.latest(node)!;
        graph.replace(current, { ...current, inputs: current.inputs.map((name, i) => (i === index ? back : name)) });
      }
      graph.add(makeNode("Mul", [place.value, factor], [back]));
    }
  });
};
