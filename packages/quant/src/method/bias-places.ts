import { type Consumer, consumers, edit, type Layer, layers, type Model, tensor } from "@espalier/core";

/** Where a constant is, or can be, added to the result of a layer, one number a channel. */
export interface BiasPlace {
  readonly layer: Layer;
  readonly channels: number;
  /** Axis of the channels in the result, from its end where it is negative. */
  readonly axis: 1 | -1;
  /** Name of the constant that is added; a convolution without one gets one. */
  readonly bias: string | undefined;
}

/** The places of a model where biases can be moved, and why other layers have none. */
export const biasPlaces = (
  model: Model,
): { readonly places: readonly BiasPlace[]; readonly refused: ReadonlyMap<Layer, string> } => {
  const { graph } = model;
  const readers = consumers(graph);
  const counts = new Map<string, number>();
  for (const node of graph.nodes) for (const name of node.inputs) counts.set(name, (counts.get(name) ?? 0) + 1);
  const isBias = (name: string, channels: number) => {
    const found = graph.weights.get(name);
    const alone = counts.get(name) === 1 && found?.type === "float32";
    return alone && found.dims.reduce((a, b) => a * b, 1) === channels && found.dims.at(-1) === channels;
  };
  const placeOf = (layer: Layer): BiasPlace | string => {
    const { kind, uses, path, node, weight } = layer;
    if (path.length > 0) return "it is in a subgraph";
    if (uses.length > 1) return "its weight is used more than once";
    if (weight.tensor.type !== "float32") return `its weights are ${weight.tensor.type}`;
    const channels = weight.dims[0]!;
    if (kind === "conv" && node.opType === "Conv") {
      const bias = node.inputs[2] || undefined;
      const usable = bias === undefined || isBias(bias, channels);
      return usable ? { layer, channels, axis: 1, bias } : "its bias is no constant vector of its own";
    }
    if (kind !== "linear") return `${node.opType} has no bias to move`;
    if (node.opType === "Gemm") {
      const bias = node.inputs[2];
      return bias && isBias(bias, channels)
        ? { layer, channels, axis: -1, bias }
        : "it has no constant bias of its own";
    }
    const [add, ...others]: readonly Consumer[] = readers.get(layer.output) ?? [];
    const bias = add?.node.opType === "Add" && others.length === 0 ? add.node.inputs[1 - add.index] : undefined;
    return bias && isBias(bias, channels) ? { layer, channels, axis: -1, bias } : "no constant is added to its result";
  };
  const places: BiasPlace[] = [];
  const refused = new Map<Layer, string>();
  for (const layer of layers(model)) {
    const found = placeOf(layer);
    if (typeof found === "string") refused.set(layer, found);
    else places.push(found);
  }
  return { places, refused };
};

/** The model with numbers added to biases. */
export const withBiases = (
  model: Model,
  corrections: ReadonlyMap<BiasPlace, Float64Array>,
  read: ReadonlyMap<string, Float32Array>,
): Model =>
  edit(model, ({ graph: draft }) => {
    for (const [{ layer, bias }, added] of corrections) {
      if (bias) {
        const values = read.get(bias)!;
        const { dims } = model.graph.weights.get(bias)!;
        draft.setWeight(
          bias,
          tensor(
            "float32",
            dims,
            values.map((value, c) => value + added[c]!),
          ),
        );
      } else {
        const name = draft.addWeight(
          `${layer.weight.name}_bias`,
          tensor("float32", [added.length], Float32Array.from(added)),
        );
        const node = draft.latest(layer.node)!;
        draft.replace(node, { ...node, inputs: [node.inputs[0]!, node.inputs[1]!, name] });
      }
    }
  });
