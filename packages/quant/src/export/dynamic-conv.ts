import { makeNode, type Node, tensor } from "@espalier/core";
import { type DynamicInput, needsDynamic } from "./dynamic-input.ts";
import { scaled } from "./dynamic-matmul.ts";
import type { IntegerWeights } from "./integer-weights.ts";
import type { Names, Piece } from "./piece.ts";

/**
 * Nodes in place of a `Conv` whose input is quantized while the model runs:
 *
 *     y = Cast(ConvInteger(xq, Wq, xz, Wz)) * (xs * ws) + bias
 *
 * @param rank    axes of the weight
 * @param weights codes as the file has them, scales [out, 1, ...] or one
 */
export const dynamicConv = (
  node: Node,
  rank: number,
  input: DynamicInput,
  weights: IntegerWeights,
  fresh: Names,
): Piece => {
  const output = node.outputs[0]!;
  const sums = fresh(`${output}_i`);
  const bias = node.inputs[2];
  const result = bias ? fresh(`${output}_p`) : output;
  const [column, dims] = [fresh(`${output}_b`), fresh(`${output}_d`)];
  const shape = BigInt64Array.from({ length: rank - 1 }, (_, axis) => (axis === 0 ? -1n : 1n));
  return {
    nodes: [
      {
        ...node,
        opType: "ConvInteger",
        inputs: [input.codes, weights.codes, input.zero, weights.zero],
        outputs: [sums],
      },
      ...scaled(sums, [input.scale, weights.scale], result, fresh),
      ...(bias ? [makeNode("Reshape", [bias, dims], [column]), makeNode("Add", [result, column], [output])] : []),
    ],
    weights: new Map(bias ? [[dims, tensor("int64", [rank - 1], shape)]] : []),
    opsets: needsDynamic,
    shared: [weights],
  };
};
