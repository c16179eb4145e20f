import {
  attrs,
  consumers,
  type Layer,
  type Model,
  type Node,
  producers,
  readData,
  sizeOf,
  type Tensor,
} from "@espalier/core";
import { readElsewhere } from "../other-readers.ts";

/** Where a value leaves a stream for layers that can take the rotation into their weights, scaled by a norm's vector or not. */
interface StreamScale {
  /** Mul by a constant vector, or a norm that has one. */
  readonly node: Node;
  /** Name of the vector. */
  readonly gamma: string;
  readonly readers: readonly Layer[];
}

/** Values that are added to one another and normalized by their root mean square: a rotation may pass through all of them. */
export interface Stream {
  readonly width: number;
  readonly values: ReadonlySet<string>;
  /** Layers and tables whose results are values of the stream, and constants that are added to them. */
  readonly sources: readonly Layer[];
  readonly biases: readonly string[];
  /** Values of the stream that something else makes. */
  readonly foreign: readonly string[];
  /** Layers that read values of the stream as they are. */
  readonly readers: readonly Layer[];
  readonly scales: readonly StreamScale[];
  /** Nodes that must get values as they were before. */
  readonly others: readonly { readonly node: Node; readonly value: string }[];
  /** Values of the stream that the model gives. */
  readonly outputs: readonly string[];
}

const rmsNorms: ReadonlySet<string> = new Set(["SimplifiedLayerNormalization", "RMSNormalization"]);
const sums: ReadonlySet<string> = new Set(["ReduceMean", "ReduceSum"]);
/** Constants of at most so many numbers are read: exponents, axes. */
const FEW = 8;
const elementwise: ReadonlySet<string> = new Set(["Add", "Sqrt", "Div", "Reciprocal", "Pow", "Mul", "Max", "Cast"]);

/** Values of constants of a few numbers. */
const smallConstants = async ({ graph }: Model): Promise<ReadonlyMap<string, readonly number[]>> => {
  const found = new Map<string, readonly number[]>();
  for (const [name, tensor] of graph.weights)
    if (tensor.type !== "string" && sizeOf(tensor.dims) <= FEW)
      found.set(name, Array.from((await readData(tensor)) as ArrayLike<number | bigint>, Number));
  return found;
};

const tools = (model: Model, small: ReadonlyMap<string, readonly number[]>) => {
  const { graph } = model;
  const readers = consumers(graph);
  const makers = producers(graph);
  const constant = (name: string | undefined): Tensor | undefined => (name ? graph.weights.get(name) : undefined);
  const vector = (name: string | undefined, width: number): boolean => {
    const found = constant(name);
    return found?.type === "float32" && found.dims.at(-1) === width && sizeOf(found.dims) === width;
  };
  /** A number for each row: what a mean over the last axis, kept, gives, through elementwise operators and scalars. */
  const isRow = (name: string): boolean => {
    const node = makers.get(name);
    if (!node) return false;
    if (sums.has(node.opType)) {
      const axes = attrs.intsOf(node, "axes") ?? small.get(node.inputs[1] ?? "") ?? [];
      return axes.length === 1 && axes[0] === -1 && attrs.intOf(node, "keepdims", 1) === 1;
    }
    if (!elementwise.has(node.opType)) return false;
    const variable = node.inputs.filter((input) => !constant(input));
    return (
      variable.length === 1 &&
      isRow(variable[0]!) &&
      node.inputs.every((input) => !constant(input) || sizeOf(constant(input)!.dims) === 1)
    );
  };
  /** A square whose mean over the last axis is all that is made of it. */
  const isSquare = (node: Node, value: string): boolean => {
    const squares =
      (node.opType === "Pow" && node.inputs[0] === value && small.get(node.inputs[1] ?? "")?.[0] === 2) ||
      (node.opType === "Mul" && node.inputs[0] === value && node.inputs[1] === value);
    return (
      squares &&
      (readers.get(node.outputs[0]!) ?? []).every(({ node: next }) => sums.has(next.opType) && isRow(next.outputs[0]!))
    );
  };
  return { readers, makers, constant, vector, isRow, isSquare };
};

/** The streams of a model, see `Stream`. @param all its layers */
export const residualStreams = async (model: Model, all: readonly Layer[]): Promise<readonly Stream[]> => {
  const { graph } = model;
  const { readers, makers, constant, vector, isRow, isSquare } = tools(model, await smallConstants(model));
  const elsewhere = readElsewhere(all);
  const rotates = (layer: Layer): boolean => {
    const { kind, uses, path, weight, node } = layer;
    const plain = uses.length === 1 && path.length === 0 && !elsewhere.has(layer) && weight.owner === graph;
    if (!plain || weight.tensor.type !== "float32" || weight.tensor.dims.length !== 2) return false;
    if (kind === "embedding")
      return node.opType === "Gather" && node.inputs[0] === weight.name && attrs.intOf(node, "axis", 0) === 0;
    const right = kind === "linear" && uses[0].index === 1 && node.inputs[1] === weight.name;
    return right && node.opType === "MatMul";
  };
  const byNode = new Map(all.filter(rotates).map((layer) => [layer.node, layer]));
  const made = new Set(graph.outputs.map(({ name }) => name));
  const done = new Set<string>();
  const found: Stream[] = [];

  const widthOf = (seed: string): number | undefined => {
    for (const { node } of readers.get(seed) ?? []) {
      if (rmsNorms.has(node.opType)) return constant(node.inputs[1])?.dims.at(-1);
      if (node.opType === "Mul" || node.opType === "Div")
        for (const { node: next } of readers.get(node.outputs[0]!) ?? []) {
          const gamma = next.opType === "Mul" ? next.inputs.map(constant).find((tensor) => tensor) : undefined;
          if (gamma) return gamma.dims.at(-1);
          const layer = byNode.get(next);
          if (layer?.kind === "linear") return layer.weight.dims[1];
        }
    }
    return undefined;
  };

  const open = (seed: string, width: number): Stream => {
    const values = new Set<string>();
    const [sources, biases, foreign, direct, scales] = [
      new Set<Layer>(),
      new Set<string>(),
      [] as string[],
      new Set<Layer>(),
      [] as StreamScale[],
    ];
    const others: { node: Node; value: string }[] = [];
    const pending = [seed];
    const scaled = (node: Node, gamma: string) => {
      const next = readers.get(node.outputs[0]!) ?? [];
      const taken = next.map(({ node: reader, index }) => (index === 0 ? byNode.get(reader) : undefined));
      const folds = taken.length > 0 && !made.has(node.outputs[0]!) && taken.every((layer) => layer?.kind === "linear");
      scales.push({ node, gamma, readers: folds ? (taken as Layer[]) : [] });
    };
    for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
      if (values.has(value)) continue;
      values.add(value);
      const maker = makers.get(value);
      const source = maker && byNode.get(maker);
      if (source && source.weight.dims[source.kind === "embedding" ? 1 : 0] === width) sources.add(source);
      else if (maker?.opType === "Identity") pending.push(maker.inputs[0]!);
      else if (maker?.opType === "Add") {
        const isBias = (input: string) => vector(input, width) && readers.get(input)?.length === 1;
        if (maker.inputs.some((input) => constant(input) && !isBias(input))) foreign.push(value);
        else for (const input of maker.inputs) constant(input) ? biases.add(input) : pending.push(input);
      } else if ((maker?.opType === "Mul" || maker?.opType === "Div") && maker.inputs[1] && isRow(maker.inputs[1]))
        pending.push(maker.inputs[0]!);
      else foreign.push(value);
      for (const { node, index } of readers.get(value) ?? []) {
        const other = node.inputs[1 - index];
        const layer = index === 0 ? byNode.get(node) : undefined;
        if (layer?.kind === "linear" && layer.weight.dims[1] === width) direct.add(layer);
        else if (node.opType === "Identity") pending.push(node.outputs[0]!);
        else if (
          node.opType === "Add" &&
          node.inputs.length === 2 &&
          other &&
          (!constant(other) || (vector(other, width) && readers.get(other)?.length === 1))
        )
          pending.push(node.outputs[0]!);
        else if (
          (node.opType === "Mul" || node.opType === "Div") &&
          index === 0 &&
          other &&
          !constant(other) &&
          isRow(other)
        )
          pending.push(node.outputs[0]!);
        else if (node.opType === "Mul" && other && vector(other, width)) scaled(node, other);
        else if (rmsNorms.has(node.opType) && index === 0 && vector(node.inputs[1], width))
          scaled(node, node.inputs[1]!);
        else if (!isSquare(node, value)) others.push({ node, value });
      }
    }
    return {
      width,
      values,
      sources: [...sources],
      biases: [...biases],
      foreign,
      readers: [...direct],
      scales,
      others,
      outputs: [...values].filter((value) => made.has(value)),
    };
  };

  for (const node of graph.nodes) {
    const value = node.inputs[0];
    if (!value || done.has(value) || constant(value) || !(rmsNorms.has(node.opType) || isSquare(node, value))) continue;
    const width = widthOf(value);
    if (width === undefined) continue;
    const stream = open(value, width);
    for (const one of stream.values) done.add(one);
    found.push(stream);
  }
  return found;
};
