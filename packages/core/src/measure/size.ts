import { intOf } from "../attrs.ts";
import { constantValue, walkGraphs } from "../graph.ts";
import type { Model, Node } from "../model.ts";
import { savedBytes } from "../onnx/save.ts";
import { type DataType, dataTypes, sizeOf, storedBytes, type Tensor } from "../tensor.ts";

/** A tensor that a model stores. */
export interface WeightSize {
  /** Name of the initializer, or of the output of the `Constant` node. */
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly bytes: number;
  /** Subgraphs from the main graph: node name or output, then attribute; empty in the main graph. */
  readonly path: readonly string[];
}

export interface ModelSize {
  /** Bytes of all files that `saveModel` would write: weights, graph, external data with its padding. */
  readonly bytes: number;
  /** Values in all weights; codes that an operator packs into bytes count one by one. */
  readonly parameters: number;
  readonly weights: readonly WeightSize[];
  /** Bytes of the weights by element type. */
  readonly byType: Readonly<Partial<Record<DataType, number>>>;
}

/** Inputs that hold codes packed into bytes, of operators with a `bits` attribute; its default. Source: ContribOperators.md. */
const PACKED: Readonly<Record<string, readonly [input: number, bits: number]>> = {
  MatMulNBits: [1, 4],
  GatherBlockQuantized: [0, 4],
  MatMulBnb4: [1, 4],
};

const BYTE_BITS = 8;

/** Codes in a byte of each packed weight, by name. */
const codesPerByte = (nodes: readonly Node[]) =>
  new Map(
    nodes.flatMap((node): [string, number][] => {
      const packed = node.domain === "com.microsoft" ? PACKED[node.opType] : undefined;
      if (!packed) return [];
      const [input, bits] = packed;
      return [[node.inputs[input], BYTE_BITS / intOf(node, "bits", bits)]];
    }),
  );

/** Bytes, parameters and weights of a model, those in subgraphs and `Constant` nodes too. Reads no weight. */
export const measureSize = (model: Model): ModelSize => {
  const weights: WeightSize[] = [];
  const byType: Partial<Record<DataType, number>> = {};
  let parameters = 0;
  for (const { graph, path } of walkGraphs(model)) {
    const packed = codesPerByte(graph.nodes);
    const add = (name: string, { type, dims }: Tensor, bytes: number) => {
      const codes = dataTypes[type].bits === BYTE_BITS ? (packed.get(name) ?? 1) : 1;
      weights.push({ name, type, dims, bytes, path });
      byType[type] = (byType[type] ?? 0) + bytes;
      parameters += sizeOf(dims) * codes;
    };
    for (const [name, weight] of graph.weights) add(name, weight, storedBytes(weight));
    for (const { name, values, indices } of graph.sparseWeights)
      add(name, values, storedBytes(values) + storedBytes(indices));
    for (const node of graph.nodes) {
      if (node.opType !== "Constant" || node.domain !== "") continue;
      const value = constantValue(node);
      if (value) add(node.outputs[0], value, storedBytes(value));
    }
  }
  return { bytes: savedBytes(model), parameters, weights, byType };
};
