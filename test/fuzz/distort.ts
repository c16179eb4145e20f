import {
  type Attribute,
  attrs,
  createRng,
  type Graph,
  type Model,
  type Node,
  type Rng,
  type Tensor,
} from "@espalier/core";

const pick = <T>(rng: Rng, list: readonly T[]): T => list[rng.below(list.length)];

const hostileInts = [-1n, 0n, 1n, 2n, 7n, -2n, 255n, 1n << 31n, -(1n << 31n), 1n << 62n, -(1n << 62n)];
const hostileFloats = [0, -0, 1, -1, 1e-45, 1e38, Number.NaN, Number.POSITIVE_INFINITY];
const otherOps =
  "Identity Add Mul MatMul Gemm Conv ConvTranspose BatchNormalization Reshape Gather Transpose Cast Constant Concat Slice Squeeze Unsqueeze Shape Softmax Clip Pad Resize Upsample Dropout Split LSTM If Loop Scan QuantizeLinear DequantizeLinear NoSuchOp".split(
    " ",
  );

/** An attribute with other values, or of another kind. */
const changedAttribute = (rng: Rng, a: Attribute): Attribute => {
  const ints = Array.from({ length: rng.below(6) }, () => pick(rng, hostileInts));
  const kinds: readonly Attribute[] = [
    attrs.int(pick(rng, hostileInts)),
    attrs.ints(ints),
    attrs.float(pick(rng, hostileFloats)),
    attrs.string(pick(rng, ["", "nearest", "\0", "SAME_UPPER", "x".repeat(300)])),
    attrs.floats(ints.map(() => pick(rng, hostileFloats))),
  ];
  return kinds.find(({ kind }) => kind === a.kind && rng.below(3) > 0) ?? pick(rng, kinds);
};

const changedNode = (rng: Rng, node: Node, names: readonly string[]): Node => {
  const swap = (list: readonly string[]) =>
    list.map((name) => (rng.below(list.length) === 0 ? pick(rng, names) : name));
  const [name] = node.attributes.size > 0 ? [pick(rng, [...node.attributes.keys()])] : [];
  const changes: readonly (() => Node)[] = [
    () => ({ ...node, inputs: swap(node.inputs) }),
    () => ({ ...node, outputs: swap(node.outputs) }),
    () => ({ ...node, inputs: node.inputs.slice(0, rng.below(node.inputs.length + 1)) }),
    () => ({ ...node, outputs: node.outputs.slice(0, rng.below(node.outputs.length + 1)) }),
    () => ({ ...node, opType: pick(rng, otherOps) }),
    () => ({ ...node, domain: pick(rng, ["", "com.microsoft", "ai.onnx.ml"]) }),
    () => ({ ...node, attributes: new Map([...node.attributes].filter(([key]) => key !== name)) }),
    () =>
      name === undefined
        ? { ...node, attributes: new Map([["axis", attrs.int(pick(rng, hostileInts))]]) }
        : {
            ...node,
            attributes: new Map([...node.attributes, [name, changedAttribute(rng, node.attributes.get(name)!)]]),
          },
  ];
  return pick(rng, changes)();
};

/** The weight with other dims for the same elements, or another tensor. */
const changedWeight = (rng: Rng, weight: Tensor, others: readonly Tensor[]): Tensor => {
  const { dims } = weight;
  const forms: readonly (readonly number[])[] = [
    [...dims].reverse(),
    [dims.reduce((a, b) => a * b, 1)],
    [1, ...dims],
    [...dims, 1],
    [],
  ];
  const found = pick(rng, forms);
  const fits = found.reduce((a, b) => a * b, 1) === dims.reduce((a, b) => a * b, 1);
  const empty: Tensor = { type: "float32", dims: [0, ...dims.slice(1)], data: new Float32Array() };
  return rng.below(4) === 0
    ? pick(rng, [...others, empty])
    : fits
      ? { type: weight.type, dims: found, data: weight.data }
      : weight;
};

const changedGraph = (rng: Rng, graph: Graph): Graph => {
  const names = [
    ...graph.nodes.flatMap((node) => [...node.inputs, ...node.outputs]),
    ...graph.weights.keys(),
    "",
    "nowhere",
  ];
  const at = rng.below(Math.max(1, graph.nodes.length));
  const inner = graph.nodes.filter((node) => [...node.attributes.values()].some(({ kind }) => kind === "graph"));
  const weight = graph.weights.size > 0 ? pick(rng, [...graph.weights.keys()]) : undefined;
  const withNode = (change: (node: Node) => readonly Node[]) => ({
    ...graph,
    nodes: graph.nodes.flatMap((node, i) => (i === at ? change(node) : [node])),
  });
  const changes: readonly (() => Graph)[] = [
    () => withNode((node) => [changedNode(rng, node, names)]),
    () => withNode((node) => [changedNode(rng, node, names)]),
    () => withNode(() => []),
    () => withNode((node) => [node, node]),
    () => ({ ...graph, nodes: [...graph.nodes].reverse() }),
    () => ({ ...graph, outputs: graph.outputs.map((info) => ({ ...info, name: pick(rng, names) })) }),
    () => ({ ...graph, inputs: graph.inputs.slice(1) }),
    () => ({ ...graph, inputs: [...graph.inputs, ...graph.inputs] }),
    () => {
      if (weight === undefined) return graph;
      const others = [...graph.weights.values()];
      return {
        ...graph,
        weights: new Map([...graph.weights, [weight, changedWeight(rng, graph.weights.get(weight)!, others)]]),
      };
    },
    () => ({ ...graph, weights: new Map([...graph.weights].filter(([name]) => name !== weight)) }),
    () => {
      if (inner.length === 0) return graph;
      const chosen = pick(rng, inner);
      const attributes = new Map(
        [...chosen.attributes].map(([key, a]) => [
          key,
          a.kind === "graph" ? { ...a, value: changedGraph(rng, a.value) } : a,
        ]),
      );
      return { ...graph, nodes: graph.nodes.map((node) => (node === chosen ? { ...node, attributes } : node)) };
    },
  ];
  return pick(rng, changes)();
};

const MAX_CHANGES = 4;
const MAX_OPSET = 30;

/** The model with one to four changes that make it wrong in its meaning and leave its file readable. */
export const distort = (model: Model, seed: number): Model => {
  const rng = createRng(seed);
  let { graph } = model;
  for (let n = rng.below(MAX_CHANGES); n >= 0; n--) graph = changedGraph(rng, graph);
  const opsets = rng.below(5) === 0 ? new Map([["", 1 + rng.below(MAX_OPSET)]]) : model.opsets;
  return { ...model, graph, opsets };
};
