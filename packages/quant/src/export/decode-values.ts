import { makeNode, type Node, type Tensor, tensor } from "@espalier/core";
import type { ValueGrid } from "../grid/value-grid.ts";
import type { ChannelView } from "./channel-view.ts";
import type { DecodedWeight } from "./decode-int8.ts";
import { inFileLayout } from "./decode-packed.ts";
import type { Names, Piece } from "./piece.ts";
import { castNode } from "./scales.ts";
import { decodedScales } from "./stored-scales.ts";
import type { SharedTables } from "./tables.ts";
import { type Book, byteTable, unpacked } from "./unpack.ts";

const BYTE = 8;
const BYTES = 256;

/** Opset whose Slice takes its bounds as inputs. Source: onnx, operator changelog. */
export const SLICE_OPSET = 10;

/** Codes as the values that they stand for, [all, ...]: a gather from the table of a byte's values. */
const gathered = (
  grid: ValueGrid,
  table: string,
  tables: SharedTables,
  suffixed: Names,
): { value: string; dims: readonly number[]; nodes: readonly Node[]; weights: Piece["weights"]; shared: Piece } => {
  const { bits, codes, values, rows, blocks, blockSize } = grid;
  const all = rows * blocks;
  if (bits === BYTE) {
    const { name, shared } = tables(table, () => ({ dims: [BYTES], values }));
    const [stored, index, value] = [suffixed("_q"), suffixed("_i"), suffixed("_f")];
    const dims = [all, blockSize];
    return {
      value,
      dims,
      nodes: [castNode(stored, index, "int32"), makeNode("Gather", [name, index], [value])],
      weights: new Map<string, Tensor>([[stored, tensor("uint8", dims, codes)]]),
      shared,
    };
  }
  const plane = { bits, shift: 0 };
  const perByte = BYTE / bits;
  const { name, shared } = tables(table, () => ({
    dims: [BYTES, perByte],
    values: byteTable(plane, (code) => values[code]!),
  }));
  const book: Book = { name, plane, shared };
  const made = unpacked(codes, [all, blockSize], [book], suffixed);
  return { ...made, weights: new Map(made.weights), shared };
};

/**
 * A weight on a grid of given values, decoded by plain operators that onnxruntime folds when it loads the model, so
 * that the model runs at float's speed and in float's memory:
 *
 *     w = Reshape(Gather(table, Cast(bytes)) * scale)
 *
 * @param grid  [channels, outer * inner]; blockSize divides the columns and fills whole bytes
 * @param table name of the values, under which the model has them once
 * Any opset from 7 on; double quantization with a short last group from 10.
 */
export const decodeValues = (
  weight: DecodedWeight,
  grid: ValueGrid,
  view: ChannelView,
  table: string,
  tables: SharedTables,
  fresh: Names,
): Piece => {
  const suffixed = (suffix: string) => fresh(weight.name + suffix);
  const codes = gathered(grid, table, tables, suffixed);
  const [scale, product] = [suffixed("_s"), suffixed("_m")];
  const scaleDims = codes.dims.map((_, axis) => (axis === 0 ? grid.rows * grid.blocks : 1));
  const scales = decodedScales(scale, scaleDims, grid, tables, fresh);
  const last = inFileLayout(weight, product, view, fresh);
  return {
    nodes: [...codes.nodes, ...scales.nodes, makeNode("Mul", [codes.value, scale], [product]), ...last.nodes],
    weights: new Map([...codes.weights, ...scales.weights, ...last.weights]),
    shared: [codes.shared, ...scales.shared],
  };
};
