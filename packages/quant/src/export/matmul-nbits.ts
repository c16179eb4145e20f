import { attrs, makeNode, type Node, type Tensor, tensor } from "@espalier/core";
import { type Grid, middleOf } from "../grid/grid.ts";
import { packedCodes, packedLength, packRows } from "../grid/pack.ts";
import { MICROSOFT, type Names, needsMicrosoft, type Piece } from "./piece.ts";
import { storeAs } from "./scales.ts";

/** One use of a `[in, out]` weight by `MatMul` or `Gemm`. */
export interface LinearUse {
  readonly input: string;
  readonly output: string;
  readonly name: string;
  /** Element type of the input, which the scales must have. */
  readonly type: "float32" | "float16";
  /** Value to add to the product. */
  readonly bias?: string;
}

export interface MatMulNBitsOptions {
  /** 0 unset, 1 float32, 2 float16, 3 bfloat16, 4 int8 activations. */
  readonly accuracyLevel?: number;
}

/** The weights of a MatMulNBits node and the nodes that decode its scales; uses of one weight share them. */
export interface NBitsWeights extends Piece {
  readonly names: readonly string[];
}

/**
 * Weights in the layout of com.microsoft MatMulNBits, FORMATS 2.4:
 *
 *     B uint8 [N, ceil(K / blockSize), blockSize * bits / 8]   scales [N, ceil(K / blockSize)]
 *     zero points, where the grid has them: uint8 [N, ceil(blocks * bits / 8)], or floats [N, blocks]
 *
 * @param grid [N, K]; blockSize a power of two of at least 16; the short last block is filled with zero weights
 */
export const nbitsWeights = (name: string, grid: Grid, type: LinearUse["type"], fresh: Names): NBitsWeights => {
  const { bits, rows, blocks, blockSize, scales, zeroPoints } = grid;
  const [codesName, scalesName] = [fresh(`${name}_q`), fresh(`${name}_s`)];
  const packed = packedCodes(grid, { padded: blocks * blockSize, fill: middleOf(bits) });
  const stored = storeAs(scalesName, [rows, blocks], scales, type);
  const weights: (readonly [string, Tensor])[] = [
    [codesName, tensor("uint8", [rows, blocks, packedLength(blockSize, bits)], packed)],
    ...stored.weights,
  ];
  const nodes: Node[] = [...stored.nodes];
  const names = [codesName, scalesName];
  if (zeroPoints) {
    const zeroName = fresh(`${name}_z`);
    names.push(zeroName);
    if (zeroPoints instanceof Uint8Array) {
      const bytes = packRows(zeroPoints, rows, blocks, bits, { fill: middleOf(bits) });
      weights.push([zeroName, tensor("uint8", [rows, packedLength(blocks, bits)], bytes)]);
    } else {
      const kept = storeAs(zeroName, [rows, blocks], zeroPoints, type);
      nodes.push(...kept.nodes);
      weights.push(...kept.weights);
    }
  }
  return { nodes, weights: new Map(weights), names };
};

/** com.microsoft MatMulNBits in place of a `MatMul` or `Gemm`: y = x ŵᵀ (+ bias, by an `Add` that every runtime has). */
export const matMulNBits = (
  use: LinearUse,
  { names }: NBitsWeights,
  grid: Grid,
  fresh: Names,
  { accuracyLevel }: MatMulNBitsOptions = {},
): Piece => {
  const product = use.bias === undefined ? use.output : fresh(`${use.output}_p`);
  const node = makeNode(
    "MatMulNBits",
    [use.input, ...names],
    [product],
    {
      K: attrs.int(grid.columns),
      N: attrs.int(grid.rows),
      bits: attrs.int(grid.bits),
      block_size: attrs.int(grid.blockSize),
      ...(accuracyLevel ? { accuracy_level: attrs.int(accuracyLevel) } : {}),
    },
    { name: use.name, domain: MICROSOFT },
  );
  const nodes = use.bias === undefined ? [node] : [node, makeNode("Add", [product, use.bias], [use.output])];
  return { nodes, weights: new Map(), opsets: needsMicrosoft };
};
