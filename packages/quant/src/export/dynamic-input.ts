import { makeNode, type Node, type Tensor, tensor } from "@espalier/core";
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

/** A value that is quantized while the model runs, in parts of its last axis that have a range each. */
export interface DynamicInputs {
  readonly parts: readonly DynamicInput[];
  readonly nodes: readonly Node[];
  readonly weights: ReadonlyMap<string, Tensor>;
}

/** @param starts where the parts begin on the last axis: 0, ... */
export const dynamicInputs = (value: string, starts: readonly number[], fresh: Names): DynamicInputs => {
  const nodes: Node[] = [];
  const weights = new Map<string, Tensor>();
  const constant = (suffix: string, at: number): string => {
    const name = fresh(`${value}_${suffix}`);
    weights.set(name, tensor("int64", [1], BigInt64Array.of(BigInt(at))));
    return name;
  };
  const axis = starts.length > 1 ? constant("axis", -1) : "";
  const parts = starts.map((start, i): DynamicInput => {
    const part = starts.length > 1 ? fresh(`${value}_part`) : value;
    if (part !== value) {
      const end = starts[i + 1] ?? Number.MAX_SAFE_INTEGER;
      nodes.push(makeNode("Slice", [value, constant("from", start), constant("to", end), axis], [part]));
    }
    const input = { codes: fresh(`${part}_q`), scale: fresh(`${part}_s`), zero: fresh(`${part}_z`) };
    nodes.push(makeNode("DynamicQuantizeLinear", [part], [input.codes, input.scale, input.zero]));
    return input;
  });
  return { parts, nodes, weights };
};
