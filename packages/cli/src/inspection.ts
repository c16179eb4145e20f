import { fold, type Layer, layers, type Model, measureSize, storedBytes, type ValueInfo } from "@espalier/core";
import { type Scheme, schemesFor } from "@espalier/quant";
import { bytesByOperator } from "./bytes-by-operator.ts";

export interface InspectedValue {
  readonly name: string;
  readonly type?: string;
  readonly shape?: readonly (number | string | null)[];
}

export interface InspectedLayer {
  readonly name: string;
  readonly kind: string;
  /** Operator that uses the weight. */
  readonly op: string;
  /** [out, in, …kernel] */
  readonly dims: readonly number[];
  readonly dtype: string;
  readonly bytes: number;
  /** What fits, smallest first. */
  readonly schemes: readonly Pick<Scheme, "name" | "bytes" | "node" | "web" | "webgpu">[];
}

/** The document of `inspect --json`. */
export interface Inspection {
  /** Of all files of the model. */
  readonly bytes: number;
  readonly opset: number;
  readonly irVersion: number;
  readonly parameters: number;
  readonly inputs: readonly InspectedValue[];
  readonly outputs: readonly InspectedValue[];
  /** Bytes of the weights by element type. */
  readonly byType: Readonly<Record<string, number>>;
  /** Bytes of the weights by the operator that uses them. */
  readonly byOperator: Readonly<Record<string, number>>;
  readonly layers: readonly InspectedLayer[];
}

const describe = ({ name, type }: ValueInfo): InspectedValue => {
  if (type === undefined) return { name };
  if (type.kind !== "tensor" && type.kind !== "sparse") return { name, type: type.kind };
  return { name, ...(type.type && { type: type.type }), ...(type.shape && { shape: type.shape }) };
};

const layerOf = (layer: Layer): InspectedLayer => ({
  name: layer.name,
  kind: layer.kind,
  op: layer.node.opType,
  dims: layer.weight.dims,
  dtype: layer.weight.tensor.type,
  bytes: storedBytes(layer.weight.tensor),
  schemes: schemesFor(layer).map(({ name, bytes, node, web, webgpu }) => ({ name, bytes, node, web, webgpu })),
});

/** What is known of a model without running it; the layers are those that compressing finds, after `fold`. */
export const inspectionOf = async (model: Model): Promise<Inspection> => {
  const { bytes, parameters, byType } = measureSize(model);
  const { graph, irVersion, opsets } = model;
  return {
    bytes,
    opset: opsets.get("") ?? 0,
    irVersion,
    parameters,
    inputs: graph.inputs.filter(({ name }) => !graph.weights.has(name)).map(describe),
    outputs: graph.outputs.map(describe),
    byType,
    byOperator: bytesByOperator(model),
    layers: layers(await fold(model)).map(layerOf),
  };
};
