import { attrs, makeNode, type Node, type Tensor, tensor } from "@espalier/core";
import { type Grid, middleOf } from "../grid/grid.ts";
import { packedCodes, packedLength, packRows } from "../grid/pack.ts";
import { signedCodes } from "./decode-int8.ts";
import { MICROSOFT, type Names, needsMicrosoft, type Piece } from "./piece.ts";
import { castNode, halfPays, storeAs, storeFloats } from "./scales.ts";

/** One use of a table by `Gather` on axis 0. */
export interface TableUse {
  readonly indices: string;
  readonly output: string;
  readonly name: string;
  readonly type: "float32" | "float16";
}

/** Weights of a table and the nodes that decode them; uses of one table share them. */
export interface TableWeights extends Piece {
  readonly names: readonly string[];
}

/** Smallest block that com.microsoft GatherBlockQuantized takes. */
const SMALLEST_BLOCK = 16;

/** The block of one scale a row: the least power of two that holds the width. */
export const rowBlock = (width: number): number => Math.max(SMALLEST_BLOCK, 2 ** Math.ceil(Math.log2(width)));

/**
 * A table in the layout of com.microsoft GatherBlockQuantized, FORMATS 2.4: uint8 [rows, width * bits / 8], scales
 * [rows, ceil(width / blockSize)], zero points uint8 [rows, ceil(blocks * bits / 8)] where the grid has them.
 *
 * @param grid [rows, width]; blockSize a power of two of at least 16, which may exceed the width
 */
export const tableWeights = (name: string, grid: Grid, type: TableUse["type"], fresh: Names): TableWeights => {
  const { bits, rows, columns, blocks, scales, zeroPoints } = grid;
  const names = [fresh(`${name}_q`), fresh(`${name}_s`)];
  const stored = storeAs(names[1]!, [rows, blocks], scales, type);
  const weights: (readonly [string, Tensor])[] = [
    [names[0]!, tensor("uint8", [rows, packedLength(columns, bits)], packedCodes(grid))],
    ...stored.weights,
  ];
  if (zeroPoints) {
    names.push(fresh(`${name}_z`));
    const bytes = packRows(zeroPoints as Uint8Array, rows, blocks, bits, { fill: middleOf(bits) });
    weights.push([names[2]!, tensor("uint8", [rows, packedLength(blocks, bits)], bytes)]);
  }
  return { nodes: stored.nodes, weights: new Map(weights), names };
};

/** com.microsoft GatherBlockQuantized in place of a `Gather`: only the rows that are asked for are decoded. */
export const gatherBlockQuantized = (use: TableUse, { names }: TableWeights, grid: Grid): Piece => ({
  nodes: [
    makeNode(
      "GatherBlockQuantized",
      [names[0]!, use.indices, ...names.slice(1)],
      [use.output],
      {
        bits: attrs.int(grid.bits),
        block_size: attrs.int(grid.blockSize),
        gather_axis: attrs.int(0),
        quantize_axis: attrs.int(1),
      },
      { name: use.name, domain: MICROSOFT },
    ),
  ],
  weights: new Map(),
  opsets: needsMicrosoft,
});

/** A table of int8 rows with one scale each, [rows, width] and [rows, 1], for `gatherRows`. */
export const rowWeights = (name: string, grid: Grid, fresh: Names): TableWeights => {
  const names = [fresh(`${name}_q`), fresh(`${name}_s`)];
  const stored = storeFloats(names[1]!, [grid.rows, 1], grid.scales, halfPays(grid.scales, names[1]!));
  return {
    nodes: stored.nodes,
    weights: new Map<string, Tensor>([
      [names[0]!, tensor("int8", [grid.rows, grid.columns], signedCodes(grid.codes, grid.bits))],
      ...stored.weights,
    ]),
    names,
  };
};

/** Plain operators in place of a `Gather`: y = Cast(Gather(codes)) * Gather(scales), for the rows that are asked for. */
export const gatherRows = (use: TableUse, { names }: TableWeights, fresh: Names): Piece => {
  const [codes, scales, floats] = ["_q", "_s", "_f"].map((suffix) => fresh(use.output + suffix)) as [
    string,
    string,
    string,
  ];
  const nodes: Node[] = [
    makeNode("Gather", [names[0]!, use.indices], [codes], {}, { name: use.name }),
    makeNode("Gather", [names[1]!, use.indices], [scales]),
    castNode(codes, floats, "float32"),
  ];
  const result = use.type === "float32" ? use.output : fresh(`${use.output}_w`);
  nodes.push(makeNode("Mul", [floats, scales], [result]));
  if (result !== use.output) nodes.push(castNode(result, use.output, use.type));
  return { nodes, weights: new Map() };
};
