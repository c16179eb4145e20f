import { attrs, type FloatType, floatTensor, floatValues, type Layer, sizeOf, type Tensor } from "@espalier/core";
import { channelViewOf, gatherChannels, readsWeight, scatterChannels } from "../export/channel-view.ts";
import { carrierOf } from "../grid/carried.ts";
import type { GridBits } from "../grid/grid.ts";
import type { WeightForm } from "../support.ts";

const BYTE = 8;
/** Opset of per-axis DequantizeLinear, and of blocks and 4 bits. Source: onnx, operator changelog. */
export const PER_AXIS_OPSET = 13;
export const BLOCKED_OPSET = 21;
/** Smallest block of com.microsoft MatMulNBits. */
const SMALLEST_BLOCK = 16;

/** [rows, columns] of a layer's weight; blocks run along the columns. */
export const rowsOf = (layer: Layer): readonly [number, number] => {
  const view = channelViewOf(layer);
  return [view.channels, view.outer * view.inner];
};

/** The values of a layer's weight, [rows, columns]; perhaps the tensor's own: not to be changed. */
export const rowValues = async (layer: Layer): Promise<Float32Array> =>
  gatherChannels(await floatValues(layer.weight.tensor), channelViewOf(layer));

/** A tensor like the weight's with other values, [rows, columns]. */
export const rowTensor = (layer: Layer, values: Float32Array): Tensor => {
  const { type, dims } = layer.weight.tensor;
  return floatTensor(type as FloatType, dims, scatterChannels(values, channelViewOf(layer)));
};

/** Why a weight cannot be quantized in any form. */
export const unfit = (layer: Layer): string | undefined => {
  const { type, dims } = layer.weight.tensor;
  if (type !== "float32" && type !== "float16") return `its weights are ${type}`;
  return sizeOf(dims) === 0 ? "its weight is empty" : undefined;
};

/** Why an operator that multiplies by a stored matrix cannot stand for a layer, or undefined where it can. */
export const noProduct = (layer: Layer, operator: string): string | undefined => {
  if (layer.kind !== "linear" || layer.weight.tensor.dims.length !== 2)
    return `${operator} takes the matrix of a linear layer`;
  if (!readsWeight(layer)) return "its weight comes through other operators";
  for (const { node, index } of layer.uses) {
    if (node.domain !== "" || (node.opType !== "MatMul" && node.opType !== "Gemm") || index !== 1)
      return `${operator} stands for x·W in MatMul and Gemm, not for input ${index} of ${node.opType}`;
    if (node.opType === "Gemm" && attrs.intOf(node, "transA", 0) !== 0) return `${operator} has no transposed input`;
    if (attrs.floatOf(node, "alpha", 1) !== 1 || attrs.floatOf(node, "beta", 1) !== 1)
      return `${operator} has no alpha and beta`;
  }
  return undefined;
};

/** Why an operator cannot hold blocks of a size, or undefined where it can. */
export const noBlock = (blockSize: number, operator: string): string | undefined =>
  !Number.isInteger(Math.log2(blockSize)) || blockSize < SMALLEST_BLOCK
    ? `${operator} takes blocks of a power of two of at least ${SMALLEST_BLOCK}, not ${blockSize}`
    : undefined;

/**
 * Why `MatMulNBits` cannot stand for a layer, or undefined where it can.
 *
 * @param floatZero8 8 bits with float zero points: onnxruntime-node 1.30 loads it and fails when it runs
 */
export const noMatMulNBits = (layer: Layer, blockSize: number, floatZero8: boolean): string | undefined => {
  if (floatZero8) return "onnxruntime runs MatMulNBits with float zero points at 4 and 2 bits only";
  return noProduct(layer, "MatMulNBits") ?? noBlock(blockSize, "MatMulNBits");
};

/** Why rows of a table cannot be decoded as they are gathered, or undefined where they can. */
export const noRowForm = (layer: Layer, form: WeightForm, bits: GridBits, symmetric: boolean): string | undefined => {
  const held = carrierOf(bits);
  const fits = ({ opType, attributes }: Layer["node"]) =>
    opType === "Gather" && Number(attributes.get("axis")?.value ?? 0) === 0;
  if (layer.kind !== "embedding" || !layer.uses.every(({ node }) => fits(node)))
    return `${form} stands for Gather on axis 0`;
  if (layer.weight.tensor.dims.length !== 2) return `${form} takes a matrix`;
  if (!readsWeight(layer)) return "its weight comes through other operators";
  if (form === "gatherRows" && (held !== BYTE || !symmetric)) return "gatherRows has 8 bits, symmetric";
  const [, width] = rowsOf(layer);
  return (width * held) % BYTE === 0 ? undefined : `${width} codes of ${held} bits do not fill whole bytes`;
};

/** Why `DequantizeLinear` cannot decode a layer, or undefined where it can. */
export const noDequantizeLinear = (
  layer: Layer,
  bits: GridBits,
  blockSize: number,
  opset: number,
): string | undefined => {
  const [, columns] = rowsOf(layer);
  const { dims } = layer.weight.tensor;
  if (bits === 2) return "onnxruntime has no DequantizeLinear of 2 bits";
  if (layer.kind === "recurrent" || (layer.node.opType === "ConvTranspose" && layer.groups > 1))
    return "its output channels lie on two axes, and DequantizeLinear has one";
  const needed = blockSize < columns || carrierOf(bits) < BYTE ? BLOCKED_OPSET : PER_AXIS_OPSET;
  if (opset < needed) return `DequantizeLinear needs opset ${needed} here, and the model has ${opset}`;
  if (blockSize >= columns) return undefined;
  if (columns % blockSize !== 0)
    return `has ${columns} input columns, which blockSize ${blockSize} does not divide, and DequantizeLinear holds no short last block`;
  const pointwise = layer.node.opType === "Conv" && dims.slice(2).every((dim) => dim === 1);
  return dims.length === 2 || pointwise ? undefined : "blocks of DequantizeLinear run along one axis";
};
