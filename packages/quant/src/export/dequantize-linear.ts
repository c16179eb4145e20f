import { attrs, makeNode, type Tensor, tensor } from "@espalier/core";
import { type Grid, middleOf } from "../grid/grid.ts";
import { packRows } from "../grid/pack.ts";
import { type ChannelView, scatterChannels } from "./channel-view.ts";
import { type DecodedWeight, signedCodes } from "./decode-int8.ts";
import type { Names, Piece } from "./piece.ts";
import { storeAs } from "./scales.ts";

/** Opset of per-axis DequantizeLinear, and of blocks and 4 bits. Source: onnx, operator changelog. */
const PER_AXIS_OPSET = 13;
const BLOCKED_OPSET = 21;
const BITS_OF_INT4 = 4;

/** Codes as the element type that DequantizeLinear decodes: signed about zero, or unsigned with zero points. */
const codesTensor = (codes: Uint8Array, dims: readonly number[], { bits, zeroPoints }: Grid): Tensor => {
  if (bits === BITS_OF_INT4) {
    const about = zeroPoints ? codes : codes.map((code) => code ^ middleOf(bits));
    return tensor(zeroPoints ? "uint4" : "int4", dims, packRows(about, 1, about.length, bits));
  }
  return zeroPoints ? tensor("uint8", dims, codes) : tensor("int8", dims, signedCodes(codes, bits));
};

const zerosTensor = (zeros: Uint8Array, dims: readonly number[], bits: Grid["bits"]): Tensor =>
  bits === BITS_OF_INT4 ? tensor("uint4", dims, packRows(zeros, 1, zeros.length, bits)) : tensor("uint8", dims, zeros);

/**
 * A weight decoded by `DequantizeLinear`: w = (code - zero) * scale.
 *
 * One scale a channel (8 bits from opset 13, 4 bits from 21), or blocks along the one axis of inputs (opset 21): axis
 * 0 of a `[K, N]` matrix, axis 1 of an `[out, in, 1, 1]` convolution. onnxruntime runs the node on every call.
 *
 * @param grid [channels, outer * inner]; blockSize divides the columns, or equals them
 */
export const dequantizeLinear = (weight: DecodedWeight, grid: Grid, view: ChannelView, fresh: Names): Piece => {
  const { name, dims, type } = weight;
  const { bits, blocks, blockSize, scales, zeroPoints } = grid;
  const [codes, scale] = [fresh(`${name}_q`), fresh(`${name}_s`)];
  const channelAxis = dims.length - Math.max(1, view.scaleDims.length);
  const inputAxis = view.outer === 1 ? channelAxis + 1 : channelAxis - 1;
  const blocked = blocks > 1;
  // [channels, blocks] lies in the file's order of axes, as the weight does.
  const scaleDims = blocked ? dims.map((dim, axis) => (axis === inputAxis ? blocks : dim)) : [view.channels];
  const turned = <T extends Float32Array | Uint8Array>(values: T): T =>
    blocked && view.outer > 1 ? (turn(values, view.channels, blocks) as T) : values;
  const stored = storeAs(scale, scaleDims, turned(scales), type);
  const inputs = [codes, scale];
  const weights: (readonly [string, Tensor])[] = [
    [codes, codesTensor(scatterChannels(grid.codes, view), dims, grid)],
    ...stored.weights,
  ];
  if (zeroPoints) {
    const zeros = fresh(`${name}_z`);
    inputs.push(zeros);
    weights.push([zeros, zerosTensor(turned(zeroPoints as Uint8Array), scaleDims, bits)]);
  }
  const axis = attrs.int(blocked ? inputAxis : channelAxis);
  const node = makeNode("DequantizeLinear", inputs, [name], {
    axis,
    ...(blocked ? { block_size: attrs.int(blockSize) } : {}),
  });
  const opset = blocked || bits === BITS_OF_INT4 ? BLOCKED_OPSET : PER_AXIS_OPSET;
  return { nodes: [...stored.nodes, node], weights: new Map(weights), opsets: new Map([["", opset]]) };
};

/** [rows, columns] -> [columns, rows] */
const turn = (values: Float32Array | Uint8Array, rows: number, columns: number) => {
  const out = values.slice();
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) out[column * rows + row] = values[row * columns + column]!;
  return out;
};
