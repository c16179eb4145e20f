import { attrs, makeNode, type Node, type Tensor, tensor } from "@espalier/core";
import { type Grid, middleOf } from "../grid/grid.ts";
import { scatterChannels } from "./channel-view.ts";
import { signedCodes } from "./decode-int8.ts";
import type { Names, Piece } from "./piece.ts";

/** The outputs of one DynamicQuantizeLinear: codes uint8, scale and zero point of the whole value. */
export interface QuantizedInput {
  readonly codes: string;
  readonly scale: string;
  readonly zero: string;
}

/** First opset of DynamicQuantizeLinear; MatMulInteger is one older. Source: onnx, operator changelog. */
export const DYNAMIC_OPSET = 11;

const needsDynamic: ReadonlyMap<string, number> = new Map([["", DYNAMIC_OPSET]]);

/** The names and the node that quantize a value while the model runs, by its own least and greatest value. */
export const dynamicInput = (value: string, fresh: Names): { readonly node: Node; readonly input: QuantizedInput } => {
  const input = { codes: fresh(`${value}_q`), scale: fresh(`${value}_s`), zero: fresh(`${value}_z`) };
  return { input, node: makeNode("DynamicQuantizeLinear", [value], [input.codes, input.scale, input.zero]) };
};

/** Weights of MatMulInteger: codes [in, out], scales [out] or one, and for uint8 the zero point. */
export interface IntegerWeights extends Piece {
  readonly codes: string;
  readonly scale: string;
  readonly zero?: string;
}

/** @param grid [out, in], symmetric, one scale a row; or [1, out * in] for one scale in all */
export const integerWeights = (
  name: string,
  grid: Grid,
  [outputs, inputs]: readonly [number, number],
  type: "int8" | "uint8",
  fresh: Names,
): IntegerWeights => {
  const turned = scatterChannels(grid.codes, { outer: inputs, channels: outputs, inner: 1, scaleDims: [] });
  const [codes, scale] = [fresh(`${name}_q`), fresh(`${name}_s`)];
  const stored = type === "int8" ? signedCodes(turned, grid.bits) : turned;
  const weights = new Map<string, Tensor>([
    [codes, tensor(type, [inputs, outputs], stored)],
    [scale, tensor("float32", grid.rows === 1 ? [] : [outputs], grid.scales)],
  ]);
  if (type === "int8") return { nodes: [], weights, codes, scale };
  const zero = fresh(`${name}_z`);
  weights.set(zero, tensor("uint8", [], Uint8Array.of(middleOf(grid.bits))));
  return { nodes: [], weights, codes, scale, zero };
};

export interface DynamicUse {
  readonly name: string;
  readonly output: string;
  readonly bias?: string;
}

/** IR of ONNX's float32 in the attribute of Cast. */
const FLOAT = 1;

/**
 * Nodes in place of a `MatMul` or `Gemm` whose input is quantized while the model runs:
 *
 *     y = Cast(MatMulInteger(xq, Wq, xz)) * (xs * ws) (+ bias)
 *
 * onnxruntime makes one kernel of them where it knows the pattern; it wants the two scales multiplied first.
 */
export const dynamicMatMul = (use: DynamicUse, input: QuantizedInput, weights: IntegerWeights, fresh: Names): Piece => {
  const { output, name, bias } = use;
  const [product, floats, scales] = [fresh(`${output}_i`), fresh(`${output}_f`), fresh(`${output}_s`)];
  const scaled = bias === undefined ? output : fresh(`${output}_p`);
  const operands = [input.codes, weights.codes, input.zero, ...(weights.zero === undefined ? [] : [weights.zero])];
  const nodes = [
    makeNode("MatMulInteger", operands, [product], {}, { name }),
    makeNode("Cast", [product], [floats], { to: attrs.int(FLOAT) }),
    makeNode("Mul", [input.scale, weights.scale], [scales]),
    makeNode("Mul", [floats, scales], [scaled]),
  ];
  if (bias !== undefined) nodes.push(makeNode("Add", [scaled, bias], [output]));
  return { nodes, weights: new Map(), opsets: needsDynamic };
};
