import { makeNode, type Node, type Tensor, tensor } from "@espalier/core";
import { type Grid, middleOf } from "../grid/grid.ts";
import { type ChannelView, scatterChannels } from "./channel-view.ts";
import type { Names, Piece } from "./piece.ts";
import { castNode, halfPays, storeFloats } from "./scales.ts";

/** The weight that a decoding piece makes: its name, dims and type in the file. */
export interface DecodedWeight {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: "float32" | "float16";
}

/** Codes about zero: code - 2^(bits - 1), as int8. */
export const signedCodes = (codes: Uint8Array, bits: Grid["bits"]): Int8Array => {
  const signed = new Int8Array(codes.length);
  const middle = middleOf(bits);
  for (let i = 0; i < codes.length; i++) signed[i] = codes[i]! - middle;
  return signed;
};

/** Float constants of an asymmetric grid's offset, w = scale code' + offset with code' about the middle. */
export const offsetsOf = ({ bits, scales, zeroPoints }: Grid): Float32Array | undefined =>
  zeroPoints && scales.map((scale, i) => (middleOf(bits) - zeroPoints[i]!) * scale);

/**
 * A weight of 8 bits (or 7) per output channel or in blocks, decoded by plain operators that onnxruntime folds when
 * it loads the model, so that the model runs at float's speed:
 *
 *     w = Cast(int8 codes) * scale (+ offset)
 *
 * @param grid [channels, outer * inner]; one block a row, or where outer is 1 blocks that divide the columns
 * Any opset from 7 on.
 */
export const decodeInt8 = (weight: DecodedWeight, grid: Grid, view: ChannelView, fresh: Names): Piece => {
  const { name, dims, type } = weight;
  const suffixed = (suffix: string) => fresh(name + suffix);
  const [codes, scale, floats] = [suffixed("_q"), suffixed("_s"), suffixed("_f")];
  const blocked = grid.blocks > 1;
  const codesDims = blocked ? [grid.rows * grid.blocks, grid.blockSize] : dims;
  const scaleDims = blocked ? [grid.rows * grid.blocks, 1] : view.scaleDims;
  const offsets = offsetsOf(grid);
  const stored = storeFloats(scale, scaleDims, grid.scales, halfPays(grid.scales, scale));
  const weights: (readonly [string, Tensor])[] = [
    [codes, tensor("int8", codesDims, signedCodes(scatterChannels(grid.codes, view), grid.bits))],
    ...stored.weights,
  ];
  const nodes: Node[] = [castNode(codes, floats, "float32"), ...stored.nodes];
  const last = finish(name, type, fresh);
  const shaped = blocked ? suffixed("_b") : last.value;
  const scaled = offsets ? suffixed("_m") : shaped;
  nodes.push(makeNode("Mul", [floats, scale], [scaled]));
  if (offsets) {
    const offset = suffixed("_o");
    const kept = storeFloats(offset, scaleDims, offsets, halfPays(offsets, offset));
    nodes.push(...kept.nodes, makeNode("Add", [scaled, offset], [shaped]));
    weights.push(...kept.weights);
  }
  if (blocked) {
    const shape = suffixed("_d");
    weights.push([shape, tensor("int64", [dims.length], BigInt64Array.from(dims, BigInt))]);
    nodes.push(makeNode("Reshape", [shaped, shape], [last.value]));
  }
  return { nodes: [...nodes, ...last.nodes], weights: new Map(weights) };
};

/** The value that decoding ends in: the weight itself, or a float32 that is cast to the weight's type. */
export const finish = (name: string, type: DecodedWeight["type"], fresh: Names) => {
  if (type === "float32") return { value: name, nodes: [] as readonly Node[] };
  const value = fresh(`${name}_w`);
  return { value, nodes: [castNode(value, name, type)] as readonly Node[] };
};
