import type { Dim, Graph, Model, Node } from "../model.ts";
import { createRng } from "../numeric/rng.ts";
import { type DataType, sizeOf, type Tensor, tensor } from "../tensor.ts";

export interface TinyModelOptions {
  readonly inputs: Readonly<Record<string, readonly [type: DataType, shape: readonly Dim[]]>>;
  /** Names, or types by name; float32 unless said. */
  readonly outputs: readonly string[] | Readonly<Record<string, DataType>>;
  readonly nodes: readonly Node[];
  readonly weights?: Readonly<Record<string, Tensor>>;
  readonly opset?: number;
  readonly irVersion?: number;
  /** Domains beside the standard one. */
  readonly domains?: Readonly<Record<string, number>>;
}

/** A model of a few nodes, built in code. */
export const tinyModel = ({
  inputs,
  outputs,
  nodes,
  weights = {},
  opset = 17,
  irVersion = 8,
  domains = {},
}: TinyModelOptions): Model => {
  const named = Array.isArray(outputs) ? Object.fromEntries(outputs.map((name) => [name, "float32"])) : outputs;
  const graph: Graph = {
    name: "tiny",
    nodes,
    inputs: Object.entries(inputs).map(([name, [type, shape]]) => ({ name, type: { kind: "tensor", type, shape } })),
    outputs: Object.entries(named).map(([name, type]) => ({ name, type: { kind: "tensor", type: type as DataType } })),
    values: [],
    weights: new Map(Object.entries(weights)),
    sparseWeights: [],
  };
  return {
    irVersion,
    opsets: new Map([["", opset], ...Object.entries(domains)]),
    graph,
    functions: [],
    metadata: new Map(),
  };
};

/** float32 tensor of Gaussian values of deviation `size`, the same for the same seed. */
export const gaussian = (dims: readonly number[], seed: number, size = 1): Tensor<"float32"> => {
  const rng = createRng(seed);
  return tensor(
    "float32",
    dims,
    Float32Array.from({ length: sizeOf(dims) }, () => rng.normal() * size),
  );
};
