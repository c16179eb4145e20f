import { makeNode, type Node, tensor } from "@espalier/core";
import type { DynamicInput } from "./dynamic-input.ts";
import type { IntegerWeights } from "./integer-weights.ts";
import { MICROSOFT, type Names, needsMicrosoft, type Piece } from "./piece.ts";

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
  const [, , , , , attentionBias, pastLength] = inputs;
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
export const dynamicAttention = (
  node: Node,
  out: number,
  input: DynamicInput,
  weights: IntegerWeights,
  fresh: Names,
): Piece => {
  const [, , bias, mask = "", past = ""] = node.inputs;
  const zeros = bias ? undefined : fresh(`${node.outputs[0]}_b`);
  const operands = [
    input.codes,
    weights.codes,
    bias || zeros!,
    input.scale,
    weights.scale,
    mask,
    input.zero,
    weights.zero,
  ];
  return {
    nodes: [
      makeNode("QAttention", [...operands, past], node.outputs, Object.fromEntries(node.attributes), {
        name: node.name,
        domain: MICROSOFT,
      }),
    ],
    weights: new Map(zeros ? [[zeros, tensor("float32", [out], new Float32Array(out))]] : []),
    opsets: needsMicrosoft,
    shared: [weights],
  };
};
