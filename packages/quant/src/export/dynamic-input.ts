import { attrs, makeNode, type Node, type Tensor, tensor } from "@espalier/core";
import type { Names } from "./piece.ts";
import { castNode } from "./scales.ts";

/** The outputs of one DynamicQuantizeLinear: codes uint8, scale and zero point of the whole value. */
export interface DynamicInput {
  readonly codes: string;
  readonly scale: string;
  readonly zero: string;
  /** The scale is a column, one for each row. */
  readonly rowwise?: boolean;
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

/** What makes codes of a part: its nodes and constants, added to those at hand. */
type Quantize = (part: string, nodes: Node[], weights: Map<string, Tensor>, fresh: Names) => DynamicInput;

/** One range for the whole value. */
const byTensor: Quantize = (part, nodes, _, fresh) => {
  const input = { codes: fresh(`${part}_q`), scale: fresh(`${part}_s`), zero: fresh(`${part}_z`) };
  nodes.push(makeNode("DynamicQuantizeLinear", [part], [input.codes, input.scale, input.zero]));
  return input;
};

/** Largest code of a symmetric range of 8 bits, and the code that stands for 0. */
const LARGEST = 127;
const MIDDLE = 128;
/** Opset in which ReduceMax takes its axes as an input. Source: onnx, changelog. */
const AXES_INPUT = 18;

/**
 * A symmetric range for each row of the last axis: scale = max|x| / 127 [..., 1], codes = round(x / scale) + 128. Rows of
 * zeros get the least normal scale.
 */
const byToken =
  (opset: number): Quantize =>
  (part, nodes, weights, fresh) => {
    const constant = (suffix: string, value: Tensor) => {
      const name = fresh(`${part}_${suffix}`);
      weights.set(name, value);
      return name;
    };
    const float = (suffix: string, value: number) => constant(suffix, tensor("float32", [], Float32Array.of(value)));
    const step = (suffix: string, operator: string, inputs: readonly string[], attributes = {}) => {
      const name = fresh(`${part}_${suffix}`);
      nodes.push(makeNode(operator, inputs, [name], attributes));
      return name;
    };
    const sizes = step("abs", "Abs", [part]);
    const most =
      opset >= AXES_INPUT
        ? step("max", "ReduceMax", [sizes, constant("last", tensor("int64", [1], BigInt64Array.of(-1n)))])
        : step("max", "ReduceMax", [sizes], { axes: attrs.ints([-1]) });
    const exact = step("exact", "Div", [most, float("largest", LARGEST)]);
    const scale = step("s", "Max", [exact, float("least", 2 ** -126)]);
    const whole = step("round", "Round", [step("steps", "Div", [part, scale])]);
    const moved = step("moved", "Add", [whole, float("middle", MIDDLE)]);
    const codes = fresh(`${part}_q`);
    nodes.push(castNode(moved, codes, "uint8"));
    return { codes, scale, zero: constant("z", tensor("uint8", [], Uint8Array.of(MIDDLE))), rowwise: true };
  };

/**
 * @param starts where the parts begin on the last axis: 0, ...
 * @param tokens version of the standard operators, where each row of the last axis is to have a range of its own
 */
export const dynamicInputs = (
  value: string,
  starts: readonly number[],
  fresh: Names,
  tokens?: number,
): DynamicInputs => {
  const quantize = tokens === undefined ? byTensor : byToken(tokens);
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
    return quantize(part, nodes, weights, fresh);
  });
  return { parts, nodes, weights };
};
