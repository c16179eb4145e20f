import type { Node } from "@espalier/core";
import type { IntegerWeights } from "./integer-weights.ts";
import { MICROSOFT, needsMicrosoft, type Piece } from "./piece.ts";

/** Inputs of LSTM that DynamicQuantizeLSTM has in the same places: X, W, R, B, lengths, h, c, peepholes. */
const SHARED_INPUTS = 8;

/**
 * com.microsoft DynamicQuantizeLSTM in place of an `LSTM`: it quantizes the input and the state by their own ranges.
 *
 * @param input, recurrence codes [directions, in, 4 * hidden], scales and zero points [directions, 4 * hidden] or
 *   [directions]. Source: onnxruntime, docs/ContribOperators.md.
 */
export const dynamicLstm = (node: Node, input: IntegerWeights, recurrence: IntegerWeights): Piece => {
  const inputs = Array.from({ length: SHARED_INPUTS }, (_, i) => node.inputs[i] ?? "");
  [inputs[1], inputs[2]] = [input.codes, recurrence.codes];
  const attributes = new Map(node.attributes);
  attributes.delete("layout");
  const scales = [input.scale, input.zero, recurrence.scale, recurrence.zero];
  const made = {
    ...node,
    opType: "DynamicQuantizeLSTM",
    domain: MICROSOFT,
    inputs: [...inputs, ...scales],
    attributes,
  };
  return { nodes: [made], weights: new Map(), opsets: needsMicrosoft, shared: [input, recurrence] };
};
