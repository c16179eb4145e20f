import { float, floatOf, intOf, makeNode } from "../attrs.ts";
import type { Consumer } from "../graph.ts";
import type { Node } from "../model.ts";
import { type DataTypeMap, readData, type Tensor, tensor } from "../tensor.ts";
import { type Chain, type Channels, chainFrom } from "./affine.ts";
import { type FoldGraph, putWeight, usesIn } from "./fold-graph.ts";

type FloatType = "float32" | "float64";

/** Where the output channel of each element of a weight is. */
interface Linear {
  readonly weight: Tensor<FloatType>;
  readonly channels: Channels;
  channelOf(element: number): number;
  /** The bias as one number for each channel; undefined where there is one that is not known as that. */
  bias(): Promise<Float64Array | undefined>;
}

const isFloat = (t: Tensor | undefined): t is Tensor<FloatType> => t?.type === "float32" || t?.type === "float64";
const stride = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);

const round = (type: FloatType, dims: readonly number[], values: Float64Array): Tensor | undefined => {
  const data: DataTypeMap[FloatType] = type === "float32" ? Float32Array.from(values) : values;
  return data.every(Number.isFinite) ? tensor(type, dims, data) : undefined;
};

const linearOf = (node: Node, graph: FoldGraph, rankOf: (value: string) => number | undefined): Linear | undefined => {
  if (node.domain !== "") return undefined;
  const weight = graph.constant(node.inputs[1] ?? "");
  if (!isFloat(weight) || weight.dims.includes(0)) return undefined;
  const { dims, type } = weight;
  const biasName = node.inputs[2] ?? "";
  const biasOf = (count: number) => async (): Promise<Float64Array | undefined> => {
    if (biasName === "") return new Float64Array(count);
    const t = graph.constant(biasName);
    if (t?.type !== type || t.dims.length > 2 || (t.dims.length === 2 && t.dims[0] !== 1)) return undefined;
    const data = (await readData(t)) as Float64Array;
    if (data.length === 1) return new Float64Array(count).fill(data[0]);
    return data.length === count ? Float64Array.from(data) : undefined;
  };
  if (node.opType === "Conv" && dims.length > 2) {
    const [count, ...rest] = dims;
    const inner = stride(rest);
    const channels: Channels = { count, axis: 1, rank: dims.length, type };
    return { weight, channels, channelOf: (i) => Math.floor(i / inner), bias: biasOf(count) };
  }
  if (node.opType === "ConvTranspose" && dims.length > 2) {
    const [inputs, perGroup, ...rest] = dims;
    const groups = intOf(node, "group", 1);
    const area = stride(rest);
    const channelOf = (i: number) => {
      const input = Math.floor(i / (perGroup * area));
      return Math.floor((input * groups) / inputs) * perGroup + (Math.floor(i / area) % perGroup);
    };
    const count = perGroup * groups;
    return { weight, channels: { count, axis: 1, rank: dims.length, type }, channelOf, bias: biasOf(count) };
  }
  if (node.opType === "Gemm" && dims.length === 2) {
    const transposed = intOf(node, "transB", 0) !== 0;
    const count = dims[transposed ? 0 : 1];
    const channelOf = (i: number) => (transposed ? Math.floor(i / dims[1]) : i % count);
    return { weight, channels: { count, axis: "last", rank: 2, type }, channelOf, bias: biasOf(count) };
  }
  if (node.opType === "MatMul" && dims.length === 2) {
    const count = dims[1];
    const channels: Channels = { count, axis: "last", rank: rankOf(node.inputs[0]), type };
    return { weight, channels, channelOf: (i) => i % count, bias: async () => new Float64Array(count) };
  }
  return undefined;
};

/** W'[c] = scale[c] W[c]; undefined where that is no finite number. */
const scaled = async ({ weight, channelOf }: Linear, scale: Float64Array): Promise<Tensor | undefined> => {
  const data = await readData(weight);
  return round(
    weight.type,
    weight.dims,
    Float64Array.from(data, (value, i) => value * scale[channelOf(i)]),
  );
};

const absorbInto = async (
  node: Node,
  linear: Linear,
  chain: Chain,
  graph: FoldGraph,
  uses: ReadonlyMap<string, readonly Consumer[]>,
): Promise<Node[] | undefined> => {
  const changesScale = chain.scale.some((value) => value !== 1);
  const matMul = node.opType === "MatMul";
  if (matMul && (!changesScale || !chain.shift.every(Number.isFinite))) return undefined;
  const bias = await linear.bias();
  if (bias === undefined) return undefined;
  const beta = node.opType === "Gemm" ? floatOf(node, "beta", 1) : 1;
  const { type } = linear.weight;
  const shift = round(
    type,
    [linear.channels.count],
    bias.map((b, c) => chain.scale[c] * beta * b + chain.shift[c]),
  );
  const weight = changesScale ? await scaled(linear, chain.scale) : linear.weight;
  if (!shift || !weight) return undefined;
  const [input, oldWeight, oldBias = ""] = node.inputs;
  const weightName = changesScale ? putWeight(graph, uses, oldWeight, `${oldWeight}_folded`, weight) : oldWeight;
  const needsBias = oldBias !== "" || chain.shift.some((value) => value !== 0);
  const biasName = needsBias ? putWeight(graph, uses, oldBias, `${chain.output}_bias`, shift) : "";
  if (matMul) {
    if (!needsBias) return [{ ...node, inputs: [input, weightName], outputs: [chain.output] }];
    return [{ ...node, inputs: [input, weightName] }, makeNode("Add", [node.outputs[0], biasName], [chain.output])];
  }
  const attributes = new Map(node.attributes);
  if (attributes.has("beta")) attributes.set("beta", float(1));
  const inputs = needsBias ? [input, weightName, biasName] : [input, weightName];
  return [{ ...node, inputs, outputs: [chain.output], attributes }];
};

/**
 * Folds BatchNormalization and products, quotients, sums and differences with constants for each channel into the
 * Conv, ConvTranspose, Gemm or MatMul before them:
 *
 *     W'[c] = scale[c] W[c]        b'[c] = scale[c] b[c] + shift[c]
 *
 * A whole chain is multiplied out in float64 and rounded once. Only where nothing else reads what lies between.
 */
export const absorbAffine = async (graph: FoldGraph, rankOf: (value: string) => number | undefined): Promise<void> => {
  const uses = usesIn(graph);
  const replaced = new Map<Node, readonly Node[]>();
  for (const node of graph.nodes) {
    if (replaced.has(node)) continue;
    const linear = linearOf(node, graph, rankOf);
    if (!linear) continue;
    const chain = await chainFrom(node.outputs[0], graph, uses, linear.channels);
    if (chain.nodes.length === 0) continue;
    const nodes = await absorbInto(node, linear, chain, graph, uses);
    if (!nodes) continue;
    for (const gone of chain.nodes) replaced.set(gone, []);
    replaced.set(node, nodes);
  }
  if (replaced.size > 0) graph.nodes = graph.nodes.flatMap((node) => replaced.get(node) ?? [node]);
};
