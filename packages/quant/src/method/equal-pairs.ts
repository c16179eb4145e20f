import { attrs, consumers, type Layer, type Model, type Node } from "@espalier/core";
import { readElsewhere } from "../other-readers.ts";

/** Two layers with nothing between them but what lets a factor of each channel pass. */
export interface EqualPair {
  readonly first: Layer;
  readonly second: Layer;
  readonly channels: number;
  /** Biases of the first, which are divided as its rows are. */
  readonly biases: readonly string[];
  /** Clips between them: their bounds become vectors. */
  readonly clips: readonly Node[];
}

/** f(s x) = s f(x) for s > 0, channel by channel. */
const passing: ReadonlySet<string> = new Set([
  "Relu",
  "LeakyRelu",
  "PRelu",
  "Identity",
  "MaxPool",
  "AveragePool",
  "GlobalAveragePool",
  "GlobalMaxPool",
  "Dropout",
]);

const fits = ({ weight, uses, path, kind, node }: Layer, graph: Model["graph"]): boolean =>
  weight.tensor.type === "float32" &&
  uses.length === 1 &&
  path.length === 0 &&
  weight.owner === graph &&
  (kind === "conv"
    ? node.opType === "Conv"
    : kind === "linear" && uses[0].index === 1 && weight.tensor.dims.length === 2) &&
  (node.opType !== "Gemm" ||
    (attrs.floatOf(node, "alpha", 1) === 1 &&
      attrs.floatOf(node, "beta", 1) === 1 &&
      attrs.intOf(node, "transA", 0) === 0));

/** Channels of a constant that is added to the result of a layer, one a channel; undefined where it is none. */
const isVector = (dims: readonly number[], channels: number, convolution: boolean): boolean => {
  const size = dims.reduce((a, b) => a * b, 1);
  if (size !== channels) return false;
  const axis = dims.indexOf(channels);
  const behind = dims.length - 1 - axis;
  return channels === 1 || (convolution ? behind === 2 : behind === 0);
};

/**
 * Pairs of layers whose channels can trade a factor: only the second reads what the first gives, through operators that let
 * a positive factor pass (Relu, LeakyRelu, PRelu, pooling, and Clip once its bounds are vectors).
 */
export const equalPairs = (model: Model, all: readonly Layer[], takesClips: boolean): readonly EqualPair[] => {
  const { graph } = model;
  const elsewhere = readElsewhere(all);
  const readers = consumers(graph);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const counts = new Map<string, number>();
  for (const node of graph.nodes) for (const name of node.inputs) counts.set(name, (counts.get(name) ?? 0) + 1);
  const byNode = new Map(
    all.filter((layer) => fits(layer, graph) && !elsewhere.has(layer)).map((layer) => [layer.node, layer]),
  );
  const constant = (name: string | undefined) => (name ? graph.weights.get(name) : undefined);
  const pairs: EqualPair[] = [];
  for (const first of byNode.values()) {
    const channels = first.weight.dims[0]!;
    const convolution = first.kind === "conv";
    const biases: string[] = [];
    const clips: Node[] = [];
    const own = first.node.opType === "MatMul" ? undefined : first.node.inputs[2];
    const usable = (name: string) =>
      constant(name)?.type === "float32" && counts.get(name) === 1 && isVector(constant(name)!.dims, channels, false);
    if (own) {
      if (!usable(own)) continue;
      biases.push(own);
    }
    let value = first.output;
    for (;;) {
      const [only, ...others] = readers.get(value) ?? [];
      if (!only || others.length > 0 || outputs.has(value)) break;
      const { node, index } = only;
      const second = byNode.get(node);
      if (second && index === 0) {
        const inputs = second.weight.dims[1]! * (second.kind === "conv" ? second.groups : 1);
        if (inputs === channels && second.kind === first.kind && second !== first)
          pairs.push({ first, second, channels, biases, clips });
        break;
      }
      if (node.opType === "Add" && node.domain === "") {
        const other = node.inputs[1 - index];
        const added = constant(other);
        const fitting =
          added?.type === "float32" && counts.get(other!) === 1 && isVector(added.dims, channels, convolution);
        if (!fitting) break;
        biases.push(other!);
      } else if (
        node.opType === "Clip" &&
        node.domain === "" &&
        takesClips &&
        convolution &&
        index === 0 &&
        node.inputs.length > 1
      ) {
        if (!node.inputs.slice(1).every((name) => name === "" || constant(name)?.type === "float32")) break;
        clips.push(node);
      } else if (node.domain !== "" || index !== 0 || !passing.has(node.opType)) break;
      value = node.outputs[0]!;
    }
  }
  return pairs;
};
