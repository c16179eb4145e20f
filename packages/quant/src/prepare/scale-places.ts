import {
  attrs,
  type Consumer,
  consumers,
  type Layer,
  layers,
  type Model,
  type Node,
  producers,
  sizeOf,
} from "@espalier/core";
import { readsWeight } from "../export/channel-view.ts";

/** A constant of the main graph that is divided, along its last axis or all of it. */
export interface Divided {
  /** The node that reads it, at this input. */
  readonly node: Node;
  readonly index: number;
  /** The constant's last axis goes with the channels; false: its first (a matrix that Gemm takes turned). */
  readonly last: boolean;
}

/** A value whose channels can be divided by s where it is made, and multiplied by s where it is met. */
export interface ScalePlace {
  readonly value: string;
  readonly width: number;
  /** Linear layers that meet the value, whose columns are multiplied. */
  readonly layers: readonly Layer[];
  readonly divided: readonly Divided[];
  /** Others that read the value and must get it as it was. */
  readonly others: readonly Consumer[];
}

/** True where a layer is a product of rows with a matrix that is its own. */
const isPlain = (model: Model, layer: Layer): boolean => {
  const { kind, weight, uses, node } = layer;
  if (kind !== "linear" || uses.length !== 1 || weight.tensor.dims.length !== 2 || !readsWeight(layer)) return false;
  if (weight.owner !== model.graph || !model.graph.weights.has(weight.name) || layer.path.length > 0) return false;
  if (weight.tensor.type !== "float32" || node.domain !== "" || uses[0].index !== 1) return false;
  if (node.opType === "Gemm")
    return (
      attrs.intOf(node, "transA", 0) === 0 &&
      attrs.floatOf(node, "alpha", 1) === 1 &&
      attrs.floatOf(node, "beta", 1) === 1
    );
  return node.opType === "MatMul";
};

/** Operators for which f(x / s) = f(x) / s where s is positive. */
const HOMOGENEOUS: ReadonlySet<string> = new Set(["Relu", "Identity", "LeakyRelu", "PRelu"]);

/**
 * Values that linear layers meet and that constants before them can take the inverse scale of: outputs of normalizations
 * and of other linear layers, also through Relu and through a product with another value, as in gated feed-forward blocks.
 */
export const scalePlaces = (model: Model): readonly ScalePlace[] => {
  const { graph } = model;
  const [makers, readers] = [producers(graph), consumers(graph)];
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const all = layers(model);
  const plain = all.filter((layer) => isPlain(model, layer));
  const byNode = new Map(plain.map((layer) => [layer.node, layer]));

  const constant = (name: string, width: number) => {
    const found = graph.weights.get(name);
    return found?.type === "float32" && sizeOf(found.dims) === width && (found.dims.at(-1) ?? 1) === width;
  };
  /** What to divide so that a value is divided; undefined where that cannot be. */
  const dividersOf = (value: string, width: number): readonly Divided[] | undefined => {
    const node = makers.get(value);
    if (node?.domain !== "") return undefined;
    const [a = "", b = "", c = ""] = node.inputs;
    const alone = (name: string) => readers.get(name)?.length === 1 && !outputs.has(name);
    const inner = (name: string) => (alone(name) ? dividersOf(name, width) : undefined);
    const at = (index: number): Divided => ({ node, index, last: true });
    switch (node.opType) {
      case "Mul":
        if (constant(b, width)) return [at(1)];
        if (constant(a, width)) return [at(0)];
        return inner(b) ?? inner(a);
      case "Add": {
        const [vector, other] = constant(b, width) ? [1, a] : constant(a, width) ? [0, b] : [-1, ""];
        const before = vector < 0 ? undefined : inner(other);
        return before && [...before, at(vector)];
      }
      case "LayerNormalization":
        if (attrs.intOf(node, "axis", -1) !== -1 || !constant(b, width)) return undefined;
        if (c === "") return [at(1)];
        return constant(c, width) ? [at(1), at(2)] : undefined;
      case "MatMul":
      case "Gemm": {
        const layer = byNode.get(node);
        if (layer?.weight.dims[0] !== width) return undefined;
        if (node.opType === "MatMul") return [at(1)];
        const own: Divided = { node, index: 1, last: attrs.intOf(node, "transB", 0) === 0 };
        if (c === "") return [own];
        return constant(c, width) ? [own, at(2)] : undefined;
      }
      default:
        return HOMOGENEOUS.has(node.opType) ? inner(a) : undefined;
    }
  };

  const places: ScalePlace[] = [];
  for (const value of new Set(plain.map(({ input }) => input))) {
    const met = plain.filter(({ input }) => input === value);
    const width = met[0]!.weight.dims[1]!;
    const divided = dividersOf(value, width);
    const nodes = new Set(met.map(({ node }) => node));
    const others = (readers.get(value) ?? []).filter(({ node }) => !nodes.has(node));
    const captured = others.some(({ index }) => index < 0) || outputs.has(value);
    if (divided && !captured) places.push({ value, width, layers: met, divided, others });
  }
  return places;
};
