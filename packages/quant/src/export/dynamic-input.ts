import { makeNode, type Node } from "@espalier/core";
import type { Names } from "./piece.ts";

/** The outputs of one DynamicQuantizeLinear: codes uint8, scale and zero point of the whole value. */
export interface DynamicInput {
  readonly codes: string;
  readonly scale: string;
  readonly zero: string;
}

/** First opset of DynamicQuantizeLinear; MatMulInteger and ConvInteger are one older. Source: onnx, changelog. */
export const DYNAMIC_OPSET = 11;

export const needsDynamic: ReadonlyMap<string, number> = new Map([["", DYNAMIC_OPSET]]);

/** The names and the node that quantize a value while the model runs, by its own least and greatest value. */
export const dynamicInput = (value: string, fresh: Names): { readonly node: Node; readonly input: DynamicInput } => {
  const input = { codes: fresh(`${value}_q`), scale: fresh(`${value}_s`), zero: fresh(`${value}_z`) };
  return { input, node: makeNode("DynamicQuantizeLinear", [value], [input.codes, input.scale, input.zero]) };
};
