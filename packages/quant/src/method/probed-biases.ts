import { type Feeds, type Model, makeNode, type Tensor, tensor } from "@espalier/core";
import { freshNames } from "../export/piece.ts";
import type { BiasPlace } from "./bias-places.ts";

/** The model with an input for each place that is added to the layer's result. */
export const probed = (model: Model, places: readonly BiasPlace[]) => {
  const fresh = freshNames(model);
  const names = new Map(
    places.map((place) => [place.layer.output, { added: fresh("bias_probe"), raw: fresh(`${place.layer.output}_p`) }]),
  );
  const nodes = model.graph.nodes.flatMap((node) => {
    const met = node.outputs.filter((name) => names.has(name));
    if (met.length === 0) return [node];
    const renamed = { ...node, outputs: node.outputs.map((name) => names.get(name)?.raw ?? name) };
    return [renamed, ...met.map((name) => makeNode("Add", [names.get(name)!.raw, names.get(name)!.added], [name]))];
  });
  const inputs = [...names.values()].map(({ added }) => ({
    name: added,
    type: { kind: "tensor", type: "float32" } as const,
  }));
  const made: Model = { ...model, graph: { ...model.graph, nodes, inputs: [...model.graph.inputs, ...inputs] } };
  return { model: made, nameOf: (place: BiasPlace) => names.get(place.layer.output)!.added };
};

/** Corrections that are fed to such a model, 0 at first. */
export const corrections = (places: readonly BiasPlace[], nameOf: (place: BiasPlace) => string) => {
  const values = new Map(places.map((place) => [place, new Float64Array(place.channels)]));
  const tensorOf = ({ channels, axis, layer }: BiasPlace, value: Float64Array): Tensor => {
    const behind = axis === 1 ? layer.weight.dims.length - 2 : 0;
    return tensor("float32", [channels, ...new Array<number>(behind).fill(1)], Float32Array.from(value));
  };
  return {
    set: (place: BiasPlace, value: Float64Array<ArrayBuffer>) => void values.set(place, value),
    feeds: (): Feeds =>
      Object.fromEntries([...values].map(([place, value]) => [nameOf(place), tensorOf(place, value)])),
    all: (): ReadonlyMap<BiasPlace, Float64Array> => values,
  };
};
