import { makeNode, type Node, type Tensor, tensor } from "@espalier/core";
import type { Palette } from "../grid/palette.ts";
import { planesOf } from "../grid/planes.ts";
import type { ChannelView } from "./channel-view.ts";
import type { DecodedWeight } from "./decode-int8.ts";
import { inFileLayout } from "./decode-packed.ts";
import type { Names, Piece } from "./piece.ts";
import { castNode, halfPays, storeFloats } from "./scales.ts";
import type { SharedTables } from "./tables.ts";
import { type Book, byteTable, unpacked } from "./unpack.ts";

const BYTE = 8;
const BYTES = 256;

/** [rows, columns] of codes whose rows fill whole bytes in each plane; undefined where no shape does. */
export const paletteShape = (rows: number, perRow: number, bits: number): readonly [number, number] | undefined => {
  if ((perRow * bits) % BYTE === 0) return [rows, perRow];
  return (rows * perRow * bits) % BYTE === 0 ? [1, rows * perRow] : undefined;
};

/** The tables that unpack indices of a width, one for each plane, shared by all weights. */
const indexBooks = (bits: number, tables: SharedTables): readonly Book[] =>
  planesOf(bits).map((plane) => {
    const { name, shared } = tables(`index${bits}_${plane.bits}`, () => ({
      dims: [BYTES, BYTE / plane.bits],
      values: byteTable(plane, (code) => code << plane.shift),
    }));
    return { name, plane, shared };
  });

/** Codes as int32 indices, and what makes them. */
const indicesOf = (
  { bits, codes }: Palette,
  shape: readonly [number, number],
  tables: SharedTables,
  suffixed: Names,
): {
  value: string;
  nodes: readonly Node[];
  weights: readonly (readonly [string, Tensor])[];
  shared: readonly Piece[];
} => {
  const value = suffixed("_x");
  if (bits === BYTE) {
    const stored = suffixed("_q");
    return {
      value,
      nodes: [castNode(stored, value, "int32")],
      weights: [[stored, tensor("uint8", shape, codes)]],
      shared: [],
    };
  }
  const books = indexBooks(bits, tables);
  const floats = unpacked(codes, shape, books, suffixed);
  return {
    value,
    nodes: [...floats.nodes, castNode(floats.value, value, "int32")],
    weights: floats.weights,
    shared: books.map(({ shared }) => shared),
  };
};

/**
 * A weight by its codes and codebooks, expanded by a gather that onnxruntime folds when it loads the model, so that the
 * model runs at float's speed and in float's memory:
 *
 *     w = Reshape(Gather(codebooks, Cast(codes) + 2^bits * group))
 *
 * @param palette of [channels, outer * inner], with a shape by `paletteShape`; groups of equal size
 * Any opset from 7 on.
 */
export const decodePalette = (
  weight: DecodedWeight,
  palette: Palette,
  view: ChannelView,
  tables: SharedTables,
  fresh: Names,
): Piece => {
  const suffixed = (suffix: string) => fresh(weight.name + suffix);
  const { rows, columns, width, bits, groups, values } = palette;
  const indices = indicesOf(palette, paletteShape(rows, columns / width, bits)!, tables, suffixed);
  const nodes: Node[] = [...indices.nodes];
  const weights: (readonly [string, Tensor])[] = [...indices.weights];
  let index = indices.value;
  if (groups > 1) {
    const [shape, offset, even, moved] = [suffixed("_d"), suffixed("_o"), suffixed("_e"), suffixed("_g")];
    const each = BigInt((rows * columns) / width / groups);
    weights.push(
      [shape, tensor("int64", [2], BigInt64Array.of(BigInt(groups), each))],
      [
        offset,
        tensor(
          "int32",
          [groups, 1],
          Int32Array.from({ length: groups }, (_, group) => group * 2 ** bits),
        ),
      ],
    );
    nodes.push(makeNode("Reshape", [index, shape], [even]), makeNode("Add", [even, offset], [moved]));
    index = moved;
  }
  const [book, value] = [suffixed("_c"), suffixed("_f")];
  const bookDims = width === 1 ? [values.length] : [values.length / width, width];
  const stored = storeFloats(book, bookDims, values, halfPays(values, book));
  const last = inFileLayout(weight, value, view, fresh);
  return {
    nodes: [...nodes, ...stored.nodes, makeNode("Gather", [book, index], [value]), ...last.nodes],
    weights: new Map([...weights, ...stored.weights, ...last.weights]),
    shared: indices.shared,
  };
};
