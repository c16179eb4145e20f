import {
  attrs,
  type Graph,
  type Layer,
  type LayerKind,
  type LayerUse,
  type Model,
  type Node,
  type Tensor,
} from "@espalier/core";
import { floatValues } from "./method/float-values.ts";

interface Place {
  readonly kind: LayerKind;
  readonly tensor: Tensor;
  readonly uses: LayerUse[];
}

/** Inputs through which operators take weights: [index, kind, index of the input that meets the weight]. */
const weightInputs: Readonly<Record<string, readonly (readonly [number, LayerKind, number])[]>> = {
  Conv: [[1, "conv", 0]],
  ConvTranspose: [[1, "conv", 0]],
  MatMul: [
    [1, "linear", 0],
    [0, "linear", 1],
  ],
  Gemm: [
    [1, "linear", 0],
    [0, "linear", 1],
  ],
  Gather: [[0, "embedding", 1]],
  LSTM: [
    [1, "recurrent", 0],
    [2, "recurrent", 0],
  ],
  GRU: [
    [1, "recurrent", 0],
    [2, "recurrent", 0],
  ],
  RNN: [
    [1, "recurrent", 0],
    [2, "recurrent", 0],
  ],
};

const isFloat = ({ type, dims }: Tensor) => dims.length >= 2 && (type === "float32" || type === "float16");

const visit = (
  graph: Graph,
  path: readonly string[],
  outer: ReadonlyMap<string, Tensor>,
  places: Map<string, Place>,
) => {
  const weights = new Map([...outer, ...graph.weights]);
  for (const node of graph.nodes) {
    const value = node.opType === "Constant" ? attrs.tensorOf(node, "value") : undefined;
    if (value) weights.set(node.outputs[0]!, value);
  }
  for (const node of graph.nodes) {
    for (const { attribute, graph: inner } of attrs.subgraphsOf(node))
      visit(inner, [...path, node.name || node.outputs[0]!, attribute], weights, places);
    for (const [index, kind, met] of (node.domain === "" && weightInputs[node.opType]) || []) {
      const name = node.inputs[index];
      const tensor = name ? weights.get(name) : undefined;
      if (!name || !tensor || !isFloat(tensor)) continue;
      const place = places.get(name) ?? { kind, tensor, uses: [] };
      places.set(name, place);
      place.uses.push({ node, index, path, input: node.inputs[met]!, output: node.outputs[0]! });
    }
  }
};

/** True where a matrix lies as [in, out] in the file. */
const isTurned = ({ node, index }: LayerUse, { kind, tensor }: Place): boolean => {
  if (kind !== "linear" || tensor.dims.length !== 2) return false;
  if (node.opType === "MatMul") return index === 1;
  return (attrs.intOf(node, index === 1 ? "transB" : "transA", 0) === 0) === (index === 1);
};

const turn = (w: Float32Array, rows: number, columns: number): Float32Array => {
  const out = new Float32Array(w.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) out[column * rows + row] = w[row * columns + column]!;
  return out;
};

const labelOf = (node: Node) => node.name || node.outputs[0]!;

/** Every place of a model that holds float weights in a standard operator, subgraphs included. */
export const weightLayers = (model: Model): readonly Layer[] => {
  const places = new Map<string, Place>();
  visit(model.graph, [], new Map(), places);
  const labels = new Set<string>();
  return [...places].map(([name, place]) => {
    const { kind, tensor, uses } = place;
    const first = uses[0]!;
    const turned = isTurned(first, place);
    const label = labels.has(labelOf(first.node)) ? `${labelOf(first.node)}:${first.index}` : labelOf(first.node);
    labels.add(label);
    const bias = kind === "conv" || first.node.opType === "Gemm" ? first.node.inputs[2] : undefined;
    return {
      name: label,
      kind,
      groups: kind === "conv" ? attrs.intOf(first.node, "group", 1) : 1,
      uses: uses as unknown as Layer["uses"],
      node: first.node,
      input: first.input,
      output: first.output,
      path: first.path,
      ...(bias ? { bias } : {}),
      weight: {
        name,
        tensor,
        dims: turned ? [...tensor.dims].reverse() : tensor.dims,
        read: async () => {
          const values = await floatValues(tensor);
          return turned ? turn(values, tensor.dims[0]!, tensor.dims[1]!) : values;
        },
        write: (values) => ({
          type: "float32",
          dims: tensor.dims,
          data: turned ? turn(values, tensor.dims[1]!, tensor.dims[0]!) : values,
        }),
      },
    } satisfies Layer;
  });
};
