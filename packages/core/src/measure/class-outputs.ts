import { intOf } from "../attrs.ts";
import { constantOf, mainScope, type Scope } from "../graph.ts";
import { layers } from "../layers/find-layers.ts";
import type { Dim, Model, Node, ValueInfo } from "../model.ts";

/** Operators that scores may pass through on their way out and still be scores of the same classes. */
const PASS_THROUGH: ReadonlySet<string> = new Set([
  "Add",
  "Cast",
  "Div",
  "Flatten",
  "Identity",
  "Mul",
  "Reshape",
  "Squeeze",
  "Tanh",
  "Unsqueeze",
]);
/** Linear layers of compressed models, whose weights are not those of `layers()`. */
const COMPRESSED: ReadonlySet<string> = new Set(["DynamicQuantizeMatMul", "MatMulBnb4", "MatMulNBits", "QGemm"]);

const SAYS_CLASSES = /logit|prob|score|softmax|class|label/i;
const SAYS_OTHERWISE =
  /embed|hidden|state|feat|pool|encod|vector|present|past|cache|att(ention|n)|box|coord|mark|point/i;

/** First opset whose Softmax works on the last axis where none is said; before, on axis 1. */
const LAST_AXIS_OPSET = 13;

const shapeOf = ({ type }: ValueInfo): readonly Dim[] | undefined => (type?.kind === "tensor" ? type.shape : undefined);

/** Whether a softmax runs along the last axis, or along the last that is longer than 1. */
const runsLast = (model: Model, node: Node, shape: readonly Dim[] | undefined): boolean => {
  const usual = (model.opsets.get("") ?? LAST_AXIS_OPSET) >= LAST_AXIS_OPSET ? -1 : 1;
  const axis = intOf(node, "axis", usual);
  if (axis === -1 || !shape) return true;
  const behind = shape.slice(axis < 0 ? axis + shape.length + 1 : axis + 1);
  return behind.every((dim) => dim === 1);
};

/** The one input of a node that is not constant, or undefined where there are more or none. */
const changingInput = (scope: Scope, node: Node): string | undefined => {
  const changing = node.inputs.filter((name) => name !== "" && !constantOf(scope, name));
  // what shapes are computed from does not carry the scores
  if (changing.length === 1 || node.opType === "Reshape") return changing[0];
  return undefined;
};

/**
 * Outputs whose rows along the last axis are scores of classes, so that the place of the largest is what a user reads:
 * those that a softmax or a linear layer makes, at most scaled, shifted, retyped or reshaped since, and those whose name
 * says so ("logits", "probs", "scores" …). Names that say otherwise (embeddings, hidden states, caches, boxes …) are not.
 */
export const classOutputs = (model: Model): ReadonlySet<string> => {
  const scope = mainScope(model);
  const linear = new Set(
    layers(model)
      .filter(({ kind }) => kind === "linear")
      .flatMap(({ uses }) => uses.map(({ output }) => output)),
  );
  const areScores = (name: string, shape: readonly Dim[] | undefined): boolean => {
    let at: string | undefined = name;
    for (let steps = 0; at !== undefined && steps < PASS_THROUGH.size; steps++) {
      const node = scope.producers.get(at);
      if (!node) return false;
      if (node.opType === "Softmax" || node.opType === "LogSoftmax") return runsLast(model, node, shape);
      if (linear.has(at) || COMPRESSED.has(node.opType)) return true;
      if (!PASS_THROUGH.has(node.opType)) return false;
      at = changingInput(scope, node);
    }
    return false;
  };
  const chosen = model.graph.outputs.filter((output) => {
    if (SAYS_OTHERWISE.test(output.name)) return false;
    return SAYS_CLASSES.test(output.name) || areScores(output.name, shapeOf(output));
  });
  return new Set(chosen.map(({ name }) => name));
};
