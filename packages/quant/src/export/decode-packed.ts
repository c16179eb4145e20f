import { attrs, makeNode, type Node, type Tensor, tensor } from "@espalier/core";
import type { Grid } from "../grid/grid.ts";
import type { ChannelView } from "./channel-view.ts";
import { type DecodedWeight, finish, offsetsOf } from "./decode-int8.ts";
import type { Names, Piece } from "./piece.ts";
import { halfPays, storeFloats } from "./scales.ts";
import { type Book, unpacked } from "./unpack.ts";

/**
 * A weight of fewer than 8 bits in blocks, unpacked by gathers from tables and plain operators, all of which
 * onnxruntime folds when it loads the model, so that the model runs at float's speed:
 *
 *     w = Reshape(Gather(table, Cast(bytes)) * scale (+ offset))      bytes [rows * blocks, blockSize * bits / 8]
 *
 * Widths that do not fill bytes evenly are stored as several planes of bits, whose gathers are added.
 *
 * @param grid [channels, outer * inner]; blockSize divides the columns and fills whole bytes
 * Any opset from 7 on.
 */
export const decodePacked = (
  weight: DecodedWeight,
  grid: Grid,
  view: ChannelView,
  books: readonly Book[],
  fresh: Names,
): Piece => {
  const suffixed = (suffix: string) => fresh(weight.name + suffix);
  const all = grid.rows * grid.blocks;
  const codes = unpacked(grid.codes, [all, grid.blockSize], books, suffixed);
  const scaleDims = codes.dims.map((_, axis) => (axis === 0 ? all : 1));
  const scale = suffixed("_s");
  const stored = storeFloats(scale, scaleDims, grid.scales, halfPays(grid.scales, scale));
  const offsets = offsetsOf(grid);
  const weights = [...codes.weights, ...stored.weights];
  let current = suffixed("_m");
  const nodes: Node[] = [...codes.nodes, ...stored.nodes, makeNode("Mul", [codes.value, scale], [current])];
  if (offsets) {
    const [offset, moved] = [suffixed("_o"), suffixed("_a")];
    const kept = storeFloats(offset, scaleDims, offsets, halfPays(offsets, offset));
    nodes.push(...kept.nodes, makeNode("Add", [current, offset], [moved]));
    weights.push(...kept.weights);
    current = moved;
  }
  const last = inFileLayout(weight, current, view, fresh);
  return {
    nodes: [...nodes, ...last.nodes],
    weights: new Map([...weights, ...last.weights]),
    shared: books.map(({ shared }) => shared),
  };
};

/** Nodes that end in the weight, from its values as [channels, outer * inner] of any dims. */
export const inFileLayout = (
  { name, dims, type }: DecodedWeight,
  value: string,
  { outer, channels, inner }: ChannelView,
  fresh: Names,
) => {
  const suffixed = (suffix: string) => fresh(name + suffix);
  const last = finish(name, type, fresh);
  const nodes: Node[] = [];
  const weights: (readonly [string, Tensor])[] = [];
  let current = value;
  const reshape = (to: string, shape: readonly number[]) => {
    const shapeName = suffixed("_d");
    weights.push([shapeName, tensor("int64", [shape.length], BigInt64Array.from(shape, BigInt))]);
    nodes.push(makeNode("Reshape", [current, shapeName], [to]));
    current = to;
  };
  if (outer === 1) reshape(last.value, dims);
  else {
    // [channels, outer, inner] -> [outer, channels, inner]; a matrix needs no third axis
    const flat = inner === 1 && dims.length === 2;
    reshape(suffixed("_c"), flat ? [channels, outer] : [channels, outer, inner]);
    const turned = flat ? last.value : suffixed("_t");
    nodes.push(makeNode("Transpose", [current], [turned], { perm: attrs.ints(flat ? [1, 0] : [1, 0, 2]) }));
    current = turned;
    if (!flat) reshape(last.value, dims);
  }
  return { nodes: [...nodes, ...last.nodes], weights };
};
