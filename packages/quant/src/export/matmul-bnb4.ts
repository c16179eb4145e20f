import { attrs, makeNode, type Node, tensor } from "@espalier/core";
import type { ValueGrid } from "../grid/value-grid.ts";
import type { LinearUse } from "./matmul-nbits.ts";
import { MICROSOFT, type Names, needsMicrosoft, type Piece } from "./piece.ts";
import { castNode } from "./scales.ts";
import { decodedScales } from "./stored-scales.ts";
import type { SharedTables } from "./tables.ts";

/** What MatMulBnb4 calls its tables. Source: onnxruntime, docs/ContribOperators.md. */
const QUANT_TYPES = { "bnb-fp4": 0, nf4: 1 } as const;
export type Bnb4Format = keyof typeof QUANT_TYPES;

/** The weights of MatMulBnb4 nodes, and the nodes that decode their scales; uses of one weight share them. */
export interface Bnb4Weights extends Piece {
  readonly names: readonly string[];
}

/** Two codes a byte, the first one high, as bitsandbytes has them. */
const packBnb4 = (codes: Uint8Array): Uint8Array =>
  Uint8Array.from({ length: Math.ceil(codes.length / 2) }, (_, i) => (codes[2 * i]! << 4) | (codes[2 * i + 1] ?? 0));

/**
 * Weights in the layout of com.microsoft MatMulBnb4, FORMATS 2.4:
 *
 *     B uint8 [(N K + 1) / 2]      absmax [N K / blockSize]      both row after row of Wᵀ
 *
 * @param grid [N, K] on NF4 or bitsandbytes' FP4; blockSize divides K
 */
export const bnb4Weights = (
  name: string,
  grid: ValueGrid,
  type: LinearUse["type"],
  tables: SharedTables,
  fresh: Names,
): Bnb4Weights => {
  const [codes, scale] = [fresh(`${name}_q`), fresh(`${name}_s`)];
  const packed = packBnb4(grid.codes);
  const decoded = type === "float32" ? scale : fresh(`${name}_s32`);
  const scales = decodedScales(decoded, [grid.scales.length], grid, tables, fresh);
  const cast: readonly Node[] = type === "float32" ? [] : [castNode(decoded, scale, type)];
  return {
    nodes: [...scales.nodes, ...cast],
    weights: new Map([[codes, tensor("uint8", [packed.length], packed)], ...scales.weights]),
    names: [codes, scale],
    ...(scales.shared.length > 0 && { shared: scales.shared }),
  };
};

/** com.microsoft MatMulBnb4 in place of a `MatMul` or `Gemm`: y = x ŵᵀ (+ bias). */
export const matMulBnb4 = (
  use: LinearUse,
  { names }: Bnb4Weights,
  grid: ValueGrid,
  format: Bnb4Format,
  fresh: Names,
): Piece => {
  const product = use.bias === undefined ? use.output : fresh(`${use.output}_p`);
  const node = makeNode(
    "MatMulBnb4",
    [use.input, ...names],
    [product],
    {
      K: attrs.int(grid.columns),
      N: attrs.int(grid.rows),
      block_size: attrs.int(grid.blockSize),
      quant_type: attrs.int(QUANT_TYPES[format]),
    },
    { name: use.name, domain: MICROSOFT },
  );
  const nodes = use.bias === undefined ? [node] : [node, makeNode("Add", [product, use.bias], [use.output])];
  return { nodes, weights: new Map(), opsets: needsMicrosoft };
};
