import {
  attrs,
  fitsHalf,
  type Graph,
  halfBits,
  halfValue,
  LARGEST_HALF,
  type Model,
  type Node,
  readData,
  SMALLEST_NORMAL_HALF,
  sizeOf,
  type Tensor,
  type WeightPlace,
} from "@espalier/core";
import { storeHalf } from "../export/float16-storage.ts";
import type { Names, Piece } from "../export/piece.ts";
import { halfIsSmaller } from "../export/scales.ts";

/** A float32 constant of a model: an initializer, or the value of a `Constant` node, in any graph. */
export interface FloatConstant extends WeightPlace {
  readonly tensor: Tensor<"float32">;
  /** Nodes that read it, of its own graph and of those inside. */
  readonly readers: readonly Node[];
}

const readersIn = (graph: Graph, readers: Map<string, Node[]>) => {
  for (const node of graph.nodes) {
    for (const name of node.inputs) readers.set(name, [...(readers.get(name) ?? []), node]);
    for (const { graph: inner } of attrs.subgraphsOf(node)) readersIn(inner, readers);
  }
  return readers;
};

/** Every float32 constant of a model that is not one of its outputs. */
export const floatConstants = (model: Model): readonly FloatConstant[] => {
  const readers = readersIn(model.graph, new Map());
  const found: FloatConstant[] = [];
  const visit = (graph: Graph) => {
    const outputs = new Set(graph.outputs.map(({ name }) => name));
    const put = (name: string, tensor: Tensor | undefined) => {
      if (tensor?.type === "float32" && !outputs.has(name))
        found.push({ name, owner: graph, tensor: tensor as Tensor<"float32">, readers: readers.get(name) ?? [] });
    };
    for (const [name, tensor] of graph.weights) put(name, tensor);
    for (const node of graph.nodes) {
      if (node.opType === "Constant") put(node.outputs[0]!, attrs.tensorOf(node, "value"));
      for (const { graph: inner } of attrs.subgraphsOf(node)) visit(inner);
    }
  };
  visit(model.graph);
  return found;
};

/** Squared relative error that float16 may leave in a row: two units in its last place. */
const ROW_ERROR = 2 ** -20;
/** The same against the mean row, for rows that are nearly 0 beside it, as those of dead channels are. */
const MEAN_ROW_ERROR = 2 ** -32;

/** Whether float16 keeps every row of a matrix within 2^-10 of its length, or 2^-16 of the mean row's. */
const keepsRows = (values: Float32Array, columns: number): boolean => {
  let all = 0;
  for (const value of values) {
    if (!(Math.abs(value) <= LARGEST_HALF)) return false;
    all += value * value;
  }
  const mean = all / (values.length / columns);
  for (let start = 0; start < values.length; start += columns) {
    let [error, size] = [0, 0];
    for (let i = start; i < start + columns; i++) {
      const value = values[i]!;
      size += value * value;
      // Above this float16 is within 2^-11 of every value.
      if (Math.abs(value) < SMALLEST_NORMAL_HALF) error += (value - halfValue(halfBits(value))) ** 2;
    }
    if (error > ROW_ERROR * size && error > MEAN_ROW_ERROR * mean) return false;
  }
  return true;
};

/** Operators that add an input, by its index: small values of it need only the precision of the large ones. */
const addsInput = ({ opType }: Node, index: number): boolean =>
  opType === "Add" || (index === 2 && ["Conv", "ConvTranspose", "Gemm", "LayerNormalization"].includes(opType));

const keepsMeaning = ({ tensor, name, readers }: FloatConstant, values: Float32Array): boolean => {
  const { dims } = tensor;
  const terms = readers.length > 0 && readers.every((node) => addsInput(node, node.inputs.indexOf(name)));
  if (dims.length < 2 && !terms) return fitsHalf(values);
  return keepsRows(values, dims.length < 2 ? values.length : sizeOf(dims) / dims[0]!);
};

/**
 * Pieces that store float32 constants as float16, with a `Cast` that onnxruntime folds when it loads the model, where
 * that takes fewer bytes and changes no value that matters: matrices and terms of sums keep 2^-10 of the length of
 * each row (or 2^-16 of the mean row's), all others keep 2^-11 of every value. The rest stays float32.
 *
 * @param check called before each; may throw to stop
 */
export const halfConstants = async (
  constants: readonly FloatConstant[],
  fresh: Names,
  check: () => void,
): Promise<ReadonlyMap<FloatConstant, Piece>> => {
  const pieces = new Map<FloatConstant, Piece>();
  for (const constant of constants) {
    check();
    const { name, tensor } = constant;
    if (!halfIsSmaller(sizeOf(tensor.dims), name)) continue;
    const values = await readData(tensor);
    if (keepsMeaning(constant, values)) pieces.set(constant, storeHalf(name, tensor.dims, values, fresh));
  }
  return pieces;
};
