import { floatOf, int, intOf, intsOf, makeNode } from "../attrs.ts";
import type { Node } from "../model.ts";
import { dataTypes, type Tensor, tensor } from "../tensor.ts";
import { type Rewrite, type RewriteContext, withAttributes, withInputs } from "./rewrite.ts";

/** An int64 vector. */
export const int64s = (values: readonly number[]): Tensor =>
  tensor("int64", [values.length], BigInt64Array.from(values.map(BigInt)));

/** A scalar of the element type of `like`; types without an array of their own values are cast from float32. */
const scalarLike = (value: number, like: string, hint: string, context: RewriteContext) => {
  const type = context.typeOf(like);
  if (type === undefined) return undefined;
  if (type === "float64") return { name: context.constant(hint, tensor(type, [], Float64Array.of(value))), nodes: [] };
  const single = context.constant(hint, tensor("float32", [], Float32Array.of(value)));
  if (type === "float32") return { name: single, nodes: [] };
  const cast = context.fresh(hint);
  return { name: cast, nodes: [makeNode("Cast", [single], [cast], { to: int(dataTypes[type].code) })] };
};

const unknownType = (node: Node) => `the element type of its input "${node.inputs[0]}" is not known`;

/** Squeeze and Unsqueeze 13, ReduceSum 13, other reductions 18: `axes` becomes the second input. */
export const axesToInput: Rewrite = (node, context) => {
  const axes = intsOf(node, "axes");
  const moved = withAttributes(node, ["axes"]);
  // An empty list reduces everything, as no list does.
  if (axes === undefined || axes.length === 0) return [moved];
  return [withInputs(moved, [node.inputs[0], context.constant(`${node.outputs[0]}_axes`, int64s(axes))])];
};

/** Clip 11: `min` and `max` become inputs. */
export const clipToInputs: Rewrite = (node, context) => {
  const made: Node[] = [];
  const inputs = [node.inputs[0]];
  for (const bound of ["min", "max"]) {
    if (!node.attributes.has(bound)) {
      inputs.push("");
      continue;
    }
    const scalar = scalarLike(floatOf(node, bound, 0), node.inputs[0], `${node.outputs[0]}_${bound}`, context);
    if (scalar === undefined) return unknownType(node);
    made.push(...scalar.nodes);
    inputs.push(scalar.name);
  }
  return [...made, withInputs(withAttributes(node, ["min", "max"]), inputs)];
};

/** Pad 11: `pads` and `value` become inputs. */
export const padToInputs: Rewrite = (node, context) => {
  const pads = context.constant(`${node.outputs[0]}_pads`, int64s(intsOf(node, "pads") ?? []));
  const moved = withAttributes(node, ["pads", "value"]);
  const value = floatOf(node, "value", 0);
  if (value === 0) return [withInputs(moved, [node.inputs[0], pads])];
  const scalar = scalarLike(value, node.inputs[0], `${node.outputs[0]}_value`, context);
  if (scalar === undefined) return unknownType(node);
  return [...scalar.nodes, withInputs(moved, [node.inputs[0], pads, scalar.name])];
};

/** Slice 10: `starts`, `ends` and `axes` become inputs. */
export const sliceToInputs: Rewrite = (node, context) => {
  const input = (name: string) => {
    const values = node.attributes.get(name);
    if (values?.kind !== "ints") return "";
    return context.constant(
      `${node.outputs[0]}_${name}`,
      tensor("int64", [values.value.length], BigInt64Array.from(values.value)),
    );
  };
  const inputs = [node.inputs[0], input("starts"), input("ends"), input("axes")];
  return [withInputs(withAttributes(node, ["starts", "ends", "axes"]), inputs)];
};

/** Split 13: `split` becomes an input. */
export const splitToInput: Rewrite = (node, context) => {
  const split = intsOf(node, "split");
  const moved = withAttributes(node, ["split"]);
  if (split === undefined) return [moved];
  return [withInputs(moved, [node.inputs[0], context.constant(`${node.outputs[0]}_split`, int64s(split))])];
};

/** Split 18: equal parts are asked for by `num_outputs`. */
export const splitNumOutputs: Rewrite = (node) =>
  (node.inputs[1] ?? "") === "" ? [withAttributes(node, [], { num_outputs: int(node.outputs.length) })] : [node];

/** TopK 10: `k` becomes an input. */
export const topKToInput: Rewrite = (node, context) => {
  const k = context.constant(`${node.outputs[0]}_k`, int64s([intOf(node, "k", 1)]));
  return [withInputs(withAttributes(node, ["k"]), [node.inputs[0], k])];
};

/** DFT 20: `axis` becomes an input, and the default is another. */
export const dftAxis: Rewrite = (node, context) => {
  const axis = BigInt(intOf(node, "axis", 1));
  const name = context.constant(`${node.outputs[0]}_axis`, tensor("int64", [], BigInt64Array.of(axis)));
  return [withInputs(withAttributes(node, ["axis"]), [node.inputs[0], node.inputs[1] ?? "", name])];
};
