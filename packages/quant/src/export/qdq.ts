import { attrs, makeNode, type Node, type Tensor } from "@espalier/core";
import type { FixedValue } from "./fixed.ts";
import type { Piece } from "./piece.ts";
import type { StaticForm, StaticUse } from "./static-form.ts";

const encode = ({ scale, zero, codes }: FixedValue, from: string): Node =>
  makeNode("QuantizeLinear", [from, scale, zero], [codes]);
const decode = ({ scale, zero, codes }: FixedValue, to: string): Node =>
  makeNode("DequantizeLinear", [codes, scale, zero], [to]);

/** The constants of a piece, but zero points that are 0 by default. */
const without = (constants: ReadonlyMap<string, Tensor>, name: string) =>
  [...constants].filter(([key]) => key !== name);

const close = ({ output }: StaticUse): readonly Node[] =>
  output ? [encode(output, output.raw), decode(output, output.value)] : [];

/**
 * QuantizeLinear and DequantizeLinear around float operators, which runtimes take together as integer kernels; ONNX
 * opset 13. Results of Conv are on a grid; those of MatMul and Gemm are not, as their kernels give floats.
 */
export const qdq: StaticForm = {
  gridded: ({ opType }) => opType === "Conv",
  label: ({ opType }) => `QDQ ${opType}`,
  enter: (value, decoded) => ({
    nodes: [encode(value, value.value), decode(value, decoded)],
    weights: value.constants,
  }),
  weight: ({ name, codes, scale, zero, axis, constants, steps }) => ({
    nodes: [makeNode("DequantizeLinear", [codes, scale], [name], steps.length > 1 ? { axis: attrs.int(axis) } : {})],
    weights: new Map(without(constants, zero)),
  }),
  node: (use): Piece => {
    const { node, last, decoded, output, weight, bias } = use;
    const inputs = [...node.inputs];
    inputs[0] = decoded;
    inputs[1] = weight.name;
    if (bias) inputs[2] = bias.decoded;
    const own = { ...node, inputs, outputs: output && last === node ? [output.raw] : node.outputs };
    const biased = bias
      ? [makeNode("DequantizeLinear", [bias.codes, bias.scale], [bias.decoded], { axis: attrs.int(0) })]
      : [];
    return {
      nodes: [...biased, own, ...(last === node ? close(use) : [])],
      weights: new Map([...(bias ? without(bias.constants, bias.zero) : []), ...(output?.constants ?? [])]),
    };
  },
  last: (use) => ({
    nodes: [use.output ? { ...use.last, outputs: [use.output.raw] } : use.last, ...close(use)],
    weights: new Map(),
  }),
};
