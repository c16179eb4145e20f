import { int, intOf, makeNode } from "../attrs.ts";
import { type Rewrite, withAttributes } from "./rewrite.ts";

/**
 * Softmax, LogSoftmax and Hardmax 13 work along one axis. Before, all axes from `axis` on were one:
 *
 *     y = reshape(softmax(flatten(x, axis), -1), shape(x))
 *
 * which is the same along the last axis.
 */
export const flattenedSoftmax: Rewrite = (node, context) => {
  const axis = intOf(node, "axis", 1);
  const [input] = node.inputs;
  const [output] = node.outputs;
  const rank = context.rankOf(input);
  const onLastAxis = withAttributes(node, [], { axis: int(-1) });
  if (axis === -1 || (rank !== undefined && axis === rank - 1)) return [onLastAxis];
  const flat = context.fresh(`${output}_flat`);
  const result = context.fresh(`${output}_softmax`);
  const shape = context.fresh(`${output}_shape`);
  return [
    makeNode("Flatten", [input], [flat], { axis: int(axis) }),
    { ...onLastAxis, inputs: [flat], outputs: [result] },
    makeNode("Shape", [input], [shape]),
    makeNode("Reshape", [result, shape], [output]),
  ];
};
