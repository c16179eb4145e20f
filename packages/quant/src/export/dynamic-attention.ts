import type { Node } from "@espalier/core";
import type { DynamicInput } from "./dynamic-input.ts";
import type { IntegerWeights } from "./integer-weights.ts";
import { needsMicrosoft, type Piece } from "./piece.ts";

/** Attributes of Attention that QAttention has too. */
const shared = new Set([
  "do_rotary",
  "mask_filter_value",
  "num_heads",
  "past_present_share_buffer",
  "scale",
  "unidirectional",
]);

/** Why QAttention cannot stand for an Attention node, or undefined where it can. */
export const unfitAttention = ({ inputs, attributes }: Node): string | undefined => {
  const [, , bias, , , attentionBias, pastLength] = inputs;
  if (!bias) return "QAttention needs a bias";
  if (attentionBias || pastLength) return "QAttention adds nothing to the scores, and takes no length of the past";
  const other = [...attributes.keys()].find((name) => !shared.has(name));
  return other === undefined ? undefined : `QAttention has no ${other}`;
};

/**
 * com.microsoft QAttention in place of its Attention, on an input that is quantized while the model runs.
 *
 * @param weights codes [in, out], scales and zero points [out] or one each; out is queries, keys and values
 * Source: onnxruntime, docs/ContribOperators.md.
 */
export const dynamicAttention = (node: Node, input: DynamicInput, weights: IntegerWeights): Piece => {
  const { codes, scale, zero } = weights;
  const [, , bias, mask = "", past = ""] = node.inputs;
  const inputs = [input.codes, codes, bias!, input.scale, scale, mask, input.zero, zero, past];
  return {
    nodes: [{ ...node, opType: "QAttention", inputs }],
    weights: new Map(),
    opsets: needsMicrosoft,
    shared: [weights],
  };
};
