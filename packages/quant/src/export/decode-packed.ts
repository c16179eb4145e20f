import { attrs, makeNode, type Node, type Tensor, tensor } from "@espalier/core";
import { type Grid, middleOf } from "../grid/grid.ts";
import { packRows } from "../grid/pack.ts";
import type { ChannelView } from "./channel-view.ts";
import { type DecodedWeight, finish, offsetsOf } from "./decode-int8.ts";
import type { Names, Piece } from "./piece.ts";
import { castNode, halfPays, storeFloats } from "./scales.ts";

const BYTES = 256;
const BYTE_BITS = 8;

/** A table that pieces share: what each byte's codes stand for. */
export interface Codebook {
  readonly name: string;
  readonly shared: Piece;
}

/**
 * The table that unpacks bytes: row b holds the codes of byte b about zero, low bits first, [256, 8 / bits].
 * It is stored as int8 and cast to float32 once.
 */
export const codebook = (bits: 4 | 2, fresh: Names): Codebook => {
  const perByte = BYTE_BITS / bits;
  const mask = 2 ** bits - 1;
  const table = new Int8Array(BYTES * perByte);
  for (let byte = 0; byte < BYTES; byte++)
    for (let i = 0; i < perByte; i++) table[byte * perByte + i] = ((byte >> (i * bits)) & mask) - middleOf(bits);
  const name = fresh(`unpack${bits}`);
  const stored = fresh(`unpack${bits}_q`);
  return {
    name,
    shared: {
      nodes: [castNode(stored, name, "float32")],
      weights: new Map([[stored, tensor("int8", [BYTES, perByte], table)]]),
    },
  };
};

/**
 * A weight of 4 or 2 bits in blocks, unpacked by a gather from a table and plain operators, all of which onnxruntime
 * folds when it loads the model, so that the model runs at float's speed:
 *
 *     w = Reshape(Gather(table, Cast(bytes)) * scale (+ offset))      bytes [rows * blocks, blockSize * bits / 8]
 *
 * @param grid [channels, outer * inner]; blockSize divides the columns and fills whole bytes
 * Any opset from 7 on.
 */
export const decodePacked = (
  weight: DecodedWeight,
  grid: Grid,
  view: ChannelView,
  { name: table, shared }: Codebook,
  fresh: Names,
): Piece => {
  const { name, dims, type } = weight;
  const bits = grid.bits as 4 | 2;
  const all = grid.rows * grid.blocks;
  const suffixed = (suffix: string) => fresh(name + suffix);
  const [codes, index, values, scale] = [suffixed("_q"), suffixed("_i"), suffixed("_f"), suffixed("_s")];
  const packed = packRows(grid.codes, all, grid.blockSize, bits);
  const stored = storeFloats(scale, [all, 1, 1], grid.scales, halfPays(grid.scales, scale));
  const offsets = offsetsOf(grid);
  const weights: (readonly [string, Tensor])[] = [
    [codes, tensor("uint8", [all, (grid.blockSize * bits) / BYTE_BITS], packed)],
    ...stored.weights,
  ];
  let current = suffixed("_m");
  const nodes: Node[] = [
    castNode(codes, index, "int32"),
    makeNode("Gather", [table, index], [values]),
    ...stored.nodes,
    makeNode("Mul", [values, scale], [current]),
  ];
  if (offsets) {
    const [offset, moved] = [suffixed("_o"), suffixed("_a")];
    const kept = storeFloats(offset, [all, 1, 1], offsets, halfPays(offsets, offset));
    nodes.push(...kept.nodes, makeNode("Add", [current, offset], [moved]));
    weights.push(...kept.weights);
    current = moved;
  }
  const last = finish(name, type, fresh);
  const reshape = (to: string, shape: readonly number[]) => {
    const shapeName = suffixed("_d");
    weights.push([shapeName, tensor("int64", [shape.length], BigInt64Array.from(shape, BigInt))]);
    nodes.push(makeNode("Reshape", [current, shapeName], [to]));
    current = to;
  };
  if (view.outer === 1) reshape(last.value, dims);
  else {
    // [channels, outer, inner] -> [outer, channels, inner]; a matrix needs no third axis
    const flat = view.inner === 1 && dims.length === 2;
    reshape(suffixed("_c"), flat ? [view.channels, view.outer] : [view.channels, view.outer, view.inner]);
    const turned = flat ? last.value : suffixed("_t");
    nodes.push(makeNode("Transpose", [current], [turned], { perm: attrs.ints(flat ? [1, 0] : [1, 0, 2]) }));
    current = turned;
    if (!flat) reshape(last.value, dims);
  }
  return { nodes: [...nodes, ...last.nodes], weights: new Map(weights), shared: [shared] };
};
