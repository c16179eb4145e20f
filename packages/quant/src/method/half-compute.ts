import {
  attrs,
  type DataType,
  dataTypes,
  fitsHalf,
  type Graph,
  LARGEST_HALF,
  type Model,
  type Node,
  SMALLEST_NORMAL_HALF,
  type Tensor,
  tensor,
  toHalf,
} from "@espalier/core";
import type { Names } from "../export/piece.ts";
import { castNode } from "../export/scales.ts";
import { floatConstants } from "./half-constants.ts";
import { valueTypes } from "./value-types.ts";

/**
 * Operators that compute in float16: all their float inputs and outputs have one type, and their results are not
 * larger than their inputs by more than a weight's worth. BatchNormalization is not among them: its subtraction of the
 * mean cancels, which costs PP-OCRv4's detector 0.41 of 1.00 in overlap.
 */
const convertible = new Set(
  (
    "Conv ConvTranspose MatMul Gemm Add Sub Mul Div Neg Abs Min Max Clip Relu LeakyRelu PRelu Elu Selu Sigmoid " +
    "HardSigmoid HardSwish Tanh Erf Gelu Softplus Softmax Where Cast Identity Dropout MaxPool AveragePool " +
    "GlobalAveragePool GlobalMaxPool Concat Split Slice Transpose Reshape Flatten Squeeze " +
    "Unsqueeze Expand Tile Gather GatherElements GatherND Pad DepthToSpace SpaceToDepth Resize Sqrt"
  ).split(" "),
);

/** Operators that read no values, only shapes: either type serves them. */
const indifferent = new Set(["Shape", "Size"]);

/** Elementwise operators that stay float32 where everything they read is: the chain from a variance to its root. */
const following = new Set(["Add", "Sub", "Mul", "Div", "Sqrt", "Min", "Max", "Neg", "Abs", "Clip"]);

/** Operators whose small weights may become 0 beside the large ones. */
const summing = new Set(["Conv", "ConvTranspose", "MatMul", "Gemm", "Gather"]);

/** Inputs that keep float32: Resize's regions and scales. */
const keepsInput = ({ opType }: Node, index: number): boolean => opType === "Resize" && index > 0;

export interface HalfComputeOptions {
  readonly keepIo: boolean;
  /** True for nodes that must compute in float32. */
  readonly blocked: (node: Node) => boolean;
}

const FLOAT32 = dataTypes.float32.code;

const clamped = (values: Float32Array): Float32Array =>
  values.map((value) => Math.max(-LARGEST_HALF, Math.min(LARGEST_HALF, value)));

/** Whether float16 keeps a constant's meaning for an operator; what overflows becomes the largest. */
const constantFits = ({ opType }: Node, values: Float32Array): boolean =>
  summing.has(opType)
    ? values.every((value) => Math.abs(value) <= LARGEST_HALF)
    : fitsHalf(values.filter((value) => Math.abs(value) < SMALLEST_NORMAL_HALF));

/** Nodes of a graph that compute in float16. */
const halfNodes = (
  graph: Graph,
  types: ReadonlyMap<string, DataType>,
  constants: ReadonlyMap<string, Tensor<"float32">>,
  blocked: (node: Node) => boolean,
): ReadonlySet<Node> => {
  const nodes = new Set<Node>();
  const single = new Set<string>();
  for (const node of graph.nodes) {
    if (node.opType === "Constant") continue;
    const floats = node.inputs.filter((name, index) => types.get(name) === "float32" && !keepsInput(node, index));
    const moving = floats.filter((name) => !constants.has(name));
    const castsToFloat = node.opType === "Cast" && attrs.intOf(node, "to", 0) === FLOAT32;
    const fits =
      node.domain === "" &&
      convertible.has(node.opType) &&
      !blocked(node) &&
      node.inputs.every((name) => name === "" || types.has(name)) &&
      (floats.length > 0 || castsToFloat) &&
      (node.opType !== "Cast" || castsToFloat) &&
      floats.every((name) => !constants.has(name) || constantFits(node, constants.get(name)!.data)) &&
      !(following.has(node.opType) && moving.length > 0 && moving.every((name) => single.has(name)));
    if (fits) nodes.add(node);
    else for (const name of node.outputs) single.add(name);
  }
  return nodes;
};

/**
 * A model whose main graph computes in float16 where that is safe. Casts stand where a value crosses between the
 * types, one for each value and direction; constants are stored in the type that reads them. Nodes with subgraphs, and
 * operators that add up many values or take powers, stay float32.
 */
export const halfCompute = (model: Model, fresh: Names, { keepIo, blocked }: HalfComputeOptions): Model => {
  const { graph } = model;
  const own = new Set([...graph.weights.keys(), ...graph.nodes.flatMap(({ outputs }) => outputs)]);
  const constants = new Map(
    floatConstants(model)
      .filter(({ name }) => own.has(name))
      .map(({ name, tensor }) => [name, tensor]),
  );
  const types = valueTypes(graph);
  const converted = halfNodes(graph, types, constants, blocked);
  const nodes: Node[] = [];
  const weights = new Map(graph.weights);
  const half = new Map<string, string>();
  const single = new Map<string, string>();
  const isFloat = (name: string) => types.get(name) === "float32";

  const asHalf = (name: string): string => {
    const known = half.get(name);
    if (known !== undefined) return known;
    const made = fresh(`${name}_h`);
    half.set(name, made);
    const constant = constants.get(name);
    if (constant) weights.set(made, tensor("float16", constant.dims, toHalf(clamped(constant.data))));
    else nodes.push(castNode(single.get(name) ?? name, made, "float16"));
    return made;
  };
  const asSingle = (name: string): string => {
    const known = single.get(name);
    if (known !== undefined || !half.has(name) || constants.has(name)) return known ?? name;
    const made = half.get(name) === name ? fresh(`${name}_f`) : name;
    single.set(name, made);
    nodes.push(castNode(half.get(name)!, made, "float32"));
    return made;
  };

  const retyped = <T extends Graph["inputs"]>(values: T) =>
    values.map((value) =>
      value.type?.kind === "tensor" && value.type.type === "float32" && !constants.has(value.name)
        ? { ...value, type: { ...value.type, type: "float16" as const } }
        : value,
    );
  if (keepIo) for (const { name } of graph.inputs) single.set(name, name);
  if (!keepIo) for (const { name } of graph.inputs) if (isFloat(name) && !constants.has(name)) half.set(name, name);
  const halfOutputs = new Set(keepIo ? [] : graph.outputs.map(({ name }) => name));

  for (const node of graph.nodes) {
    if (node.opType === "Constant" && constants.has(node.outputs[0]!)) {
      nodes.push(node);
      continue;
    }
    if (converted.has(node)) {
      const inputs = node.inputs.map((name, index) =>
        !isFloat(name) ? name : keepsInput(node, index) ? asSingle(name) : asHalf(name),
      );
      const outputs = node.outputs.map((name) => {
        if (!name || !isFloat(name)) return name;
        const made = halfOutputs.has(name) ? name : fresh(`${name}_h`);
        half.set(name, made);
        return made;
      });
      const attributes =
        node.opType === "Cast" ? new Map([["to", attrs.int(dataTypes.float16.code)]]) : node.attributes;
      nodes.push({ ...node, inputs, outputs, attributes });
      continue;
    }
    const captured = attrs.subgraphsOf(node).length > 0;
    if (captured) for (const name of [...half.keys()]) if (!constants.has(name)) asSingle(name);
    const read = (name: string) => {
      if (!isFloat(name)) return name;
      return indifferent.has(node.opType) ? (single.get(name) ?? half.get(name) ?? name) : asSingle(name);
    };
    const outputs = node.outputs.map((name) => {
      if (!isFloat(name)) return name;
      if (!halfOutputs.has(name)) {
        single.set(name, name);
        return name;
      }
      const made = fresh(`${name}_f`);
      single.set(name, made);
      return made;
    });
    nodes.push({ ...node, inputs: node.inputs.map(read), outputs });
    for (const [index, name] of node.outputs.entries())
      if (outputs[index] !== name) {
        nodes.push(castNode(outputs[index]!, name, "float16"));
        half.set(name, name);
      }
  }
  if (keepIo) for (const { name } of graph.outputs) if (half.has(name)) asSingle(name);
  return {
    ...model,
    graph: {
      ...graph,
      nodes,
      weights,
      inputs: keepIo ? graph.inputs : retyped(graph.inputs),
      outputs: keepIo ? graph.outputs : retyped(graph.outputs),
      values: graph.values.filter(({ name }) => !half.has(name)),
    },
  };
};
