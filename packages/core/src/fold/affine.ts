import { floatOf, intOf } from "../attrs.ts";
import type { Consumer } from "../graph.ts";
import type { Node } from "../model.ts";
import { type DataType, readData, type Tensor } from "../tensor.ts";
import type { FoldGraph } from "./fold-graph.ts";

/** y = scale * x + shift, for each channel, in float64. */
export interface Affine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

/** Which values a chain of affine nodes works on. */
export interface Channels {
  readonly count: number;
  /** Channels lie on axis 1 (convolutions) or on the last axis (matrix products). */
  readonly axis: 1 | "last";
  readonly rank: number | undefined;
  readonly type: DataType;
}

/** A constant as one number for each channel, when that is how it broadcasts. */
const perChannel = async (t: Tensor, { count, axis, rank, type }: Channels): Promise<Float64Array | undefined> => {
  if (t.type !== type || t.dims.length > (rank ?? 1)) return undefined;
  const place = axis === 1 ? 1 - (rank ?? 0) + t.dims.length : t.dims.length - 1;
  const fits = t.dims.every((dim, i) => dim === 1 || (i === place && dim === count));
  if (!fits) return undefined;
  const data = (await readData(t)) as Float64Array;
  return data.length === 1 ? new Float64Array(count).fill(data[0]) : Float64Array.from(data);
};

/** The default of the operator. */
const EPSILON = 1e-5;
/** Factor, sum, mean and variance. */
const STATISTICS = 4;

const batchNorm = async (node: Node, graph: FoldGraph, channels: Channels): Promise<Affine | undefined> => {
  const onAxisOne = channels.axis === 1 || channels.rank === 2;
  if (!onAxisOne || intOf(node, "training_mode", 0) !== 0 || intOf(node, "spatial", 1) !== 1) return undefined;
  if (node.outputs.slice(1).some((output) => output !== "")) return undefined;
  const parts: Float64Array[] = [];
  for (const name of node.inputs.slice(1)) {
    const t = graph.constant(name);
    if (t?.type !== channels.type || t.dims.length !== 1 || t.dims[0] !== channels.count) return undefined;
    parts.push(Float64Array.from((await readData(t)) as Float64Array));
  }
  if (parts.length < STATISTICS) return undefined;
  const [gamma, beta, mean, variance] = parts;
  const epsilon = floatOf(node, "epsilon", EPSILON);
  // y = gamma (x - mean) / sqrt(variance + epsilon) + beta
  const scale = gamma.map((value, c) => value / Math.sqrt(variance[c] + epsilon));
  return { scale, shift: beta.map((value, c) => value - mean[c] * scale[c]) };
};

/** What a node does to `input`, when that is a multiple and a sum for each channel. */
export const affineOf = async (
  node: Node,
  input: string,
  graph: FoldGraph,
  channels: Channels,
): Promise<Affine | undefined> => {
  if (node.domain !== "") return undefined;
  if (node.opType === "BatchNormalization") {
    return node.inputs[0] === input ? batchNorm(node, graph, channels) : undefined;
  }
  if (!["Add", "Sub", "Mul", "Div"].includes(node.opType)) return undefined;
  const first = node.inputs[0] === input;
  const other = graph.constant(node.inputs[first ? 1 : 0]);
  const values = other && (await perChannel(other, channels));
  if (!values || (node.opType === "Div" && !first)) return undefined;
  const ones = () => new Float64Array(channels.count).fill(1);
  const zeros = new Float64Array(channels.count);
  if (node.opType === "Mul") return { scale: values, shift: zeros };
  if (node.opType === "Div") return { scale: values.map((value) => 1 / value), shift: zeros };
  if (node.opType === "Add") return { scale: ones(), shift: values };
  return first ? { scale: ones(), shift: values.map((value) => -value) } : { scale: ones().fill(-1), shift: values };
};

/** Affine nodes one after another, each the only reader of the one before, as one. */
export interface Chain extends Affine {
  readonly nodes: readonly Node[];
  /** The value that the last of them makes. */
  readonly output: string;
}

/** The chain of affine nodes that starts at a value; it may have no nodes. */
export const chainFrom = async (
  value: string,
  graph: FoldGraph,
  uses: ReadonlyMap<string, readonly Consumer[]>,
  channels: Channels,
): Promise<Chain> => {
  const nodes: Node[] = [];
  let output = value;
  let scale = new Float64Array(channels.count).fill(1);
  let shift = new Float64Array(channels.count);
  // No chain is longer than the graph, unless the graph is damaged and has a cycle.
  while (nodes.length < graph.nodes.length) {
    const readers = uses.get(output) ?? [];
    if (graph.outputs.has(output) || readers.length !== 1 || readers[0].index < 0) break;
    const [{ node }] = readers;
    const next = await affineOf(node, output, graph, channels);
    if (!next) break;
    // a2 (a1 x + b1) + b2
    shift = shift.map((b, c) => next.scale[c] * b + next.shift[c]);
    scale = scale.map((a, c) => next.scale[c] * a);
    nodes.push(node);
    [output] = node.outputs;
  }
  return { nodes, output, scale, shift };
};
