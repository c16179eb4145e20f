import { permute, type Tensor, tensor } from "@espalier/core";
import { type Grid, middleOf } from "../grid/grid.ts";
import { signedCodes } from "./decode-int8.ts";
import type { Names, Piece } from "./piece.ts";

export type IntegerType = "int8" | "uint8";

/** Weights on integers: names of codes, scales and zero points, and the constants. */
export interface IntegerWeights extends Piece {
  readonly codes: string;
  readonly scale: string;
  readonly zero: string;
}

/** How the operator that reads the weights wants them. */
export interface IntegerLayout {
  readonly type: IntegerType;
  /** Dims of the codes. */
  readonly dims: readonly number[];
  /** The grid's codes under these dims and in this order of axes are the codes as the operator reads them. */
  readonly from?: readonly number[];
  readonly order?: readonly number[];
  readonly scaleDims: readonly number[];
  /** Dims of the zero points; without, one for all. */
  readonly zeroDims?: readonly number[];
}

const count = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

/** @param grid symmetric, one block a row */
export const integerWeights = (name: string, grid: Grid, layout: IntegerLayout, fresh: Names): IntegerWeights => {
  const { type, dims, from, order, scaleDims, zeroDims = [] } = layout;
  const [codes, scale, zero] = [fresh(`${name}_q`), fresh(`${name}_s`), fresh(`${name}_z`)];
  const turned = from && order ? permute(grid.codes, from, order) : grid.codes;
  const zeros = (type === "int8" ? new Int8Array(count(zeroDims)) : new Uint8Array(count(zeroDims))).fill(
    type === "int8" ? 0 : middleOf(grid.bits),
  );
  const weights = new Map<string, Tensor>([
    [codes, tensor(type, dims, type === "int8" ? signedCodes(turned, grid.bits) : turned)],
    [scale, tensor("float32", scaleDims, grid.scales)],
    [zero, tensor(type, zeroDims, zeros)],
  ]);
  return { nodes: [], weights, codes, scale, zero };
};
