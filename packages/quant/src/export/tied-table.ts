import { attrs, type Layer, makeNode, type Node, tensor } from "@espalier/core";
import type { Grid } from "../grid/grid.ts";
import { packedLength } from "../grid/pack.ts";
import { readCounts } from "../other-readers.ts";
import { gatherBlockQuantized } from "./gather-block-quantized.ts";
import { type LinearUse, matMulNBits, type NBitsWeights, nbitsWeights } from "./matmul-nbits.ts";
import type { Names, Piece } from "./piece.ts";

/** How an embedding table is read that is also the matrix of last products. */
interface TiedUses {
  readonly gathers: readonly Node[];
  readonly transposes: readonly Node[];
  readonly products: readonly Node[];
}

const isGather = ({ opType, attributes }: Node) =>
  opType === "Gather" && Number(attributes.get("axis")?.value ?? 0) === 0;

const turns = (node: Node) => {
  const perm = attrs.intsOf(node, "perm") ?? [1, 0];
  return node.opType === "Transpose" && perm.length === 2 && perm[0] === 1;
};

/** The nodes that read a table by Gather, and by MatMul of its transpose; or why there are others, or none. */
export const tiedUses = (layer: Layer): TiedUses | string => {
  const { owner, name, tensor: table } = layer.weight;
  if (layer.kind !== "embedding" || table.dims.length !== 2) return "tiedTable takes an embedding table";
  const counts = readCounts(owner);
  const transposes = owner.nodes.filter((node) => turns(node) && node.inputs[0] === name);
  const turned = new Set(transposes.map(({ outputs }) => outputs[0]!));
  const gathers = owner.nodes.filter((node) => isGather(node) && node.inputs[0] === name);
  const products = owner.nodes.filter(({ opType, inputs }) => opType === "MatMul" && turned.has(inputs[1]!));
  if (gathers.length === 0 || products.length === 0)
    return "tiedTable stands for a table that Gather reads and MatMul reads transposed";
  const reads = [...turned].reduce((sum, value) => sum + (counts.get(value) ?? 0), 0);
  return counts.get(name) === gathers.length + transposes.length && reads === products.length
    ? { gathers, transposes, products }
    : "its weight has other readers than Gather and MatMul of its transpose";
};

/** Weights of MatMulNBits, and their codes once more as GatherBlockQuantized wants them. */
export interface TiedWeights extends NBitsWeights {
  readonly rows: string;
}

/**
 * An embedding table whose rows GatherBlockQuantized decodes and by which MatMulNBits multiplies, on the same codes:
 *
 *     codes uint8 [rows, blocks, blockSize * bits / 8], for Gather reshaped to [rows, width * bits / 8]
 *
 * @param grid [rows, width] of 8 or 4 bits; blockSize, a power of two of at least 16, divides the width
 */
export const tiedWeights = (name: string, grid: Grid, type: LinearUse["type"], fresh: Names): TiedWeights => {
  const weights = nbitsWeights(name, grid, type, fresh);
  const [rows, shape] = [fresh(`${name}_r`), fresh(`${name}_d`)];
  const dims = BigInt64Array.of(BigInt(grid.rows), BigInt(packedLength(grid.columns, grid.bits)));
  return {
    ...weights,
    rows,
    nodes: [...weights.nodes, makeNode("Reshape", [weights.names[0]!, shape], [rows])],
    weights: new Map([...weights.weights, [shape, tensor("int64", [2], dims)]]),
  };
};

/** What stands in place of the nodes that read the table. */
export const tiedNodes = (
  { gathers, transposes, products }: TiedUses,
  weights: TiedWeights,
  grid: Grid,
  type: LinearUse["type"],
  fresh: Names,
  options: { readonly accuracyLevel?: number | undefined },
): ReadonlyMap<Node, Piece> => {
  const nodes = new Map<Node, Piece>();
  const use = (node: Node) => ({ name: node.name, output: node.outputs[0]!, type });
  const shared = [weights];
  for (const node of gathers) {
    const table = { ...weights, names: [weights.rows, ...weights.names.slice(1)] };
    nodes.set(node, { ...gatherBlockQuantized({ ...use(node), indices: node.inputs[1]! }, table, grid), shared });
  }
  for (const node of products) {
    const own = options.accuracyLevel === undefined ? {} : { accuracyLevel: options.accuracyLevel };
    nodes.set(node, { ...matMulNBits({ ...use(node), input: node.inputs[0]! }, weights, grid, fresh, own), shared });
  }
  for (const node of transposes) nodes.set(node, { nodes: [], weights: new Map() });
  return nodes;
};

/** Why blocks of a size do not fit a tied table, or undefined where they do. */
export const noTiedBlock = (
  width: number,
  blockSize: number,
  zeros: "none" | "integer" | "float",
): string | undefined => {
  if (zeros === "float") return "GatherBlockQuantized has no float zero points";
  if (width % blockSize !== 0) return `tiedTable has whole blocks, and ${blockSize} does not divide ${width} columns`;
  return undefined;
};
