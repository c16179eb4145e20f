import { attrs, makeNode, type Node, type Tensor, tensor } from "@espalier/core";
import { type DynamicInput, needsDynamic } from "./dynamic-input.ts";
import type { IntegerWeights } from "./integer-weights.ts";
import type { Names, Piece } from "./piece.ts";
import { castNode } from "./scales.ts";

/** Nodes that end in `value`: the sums as floats, times the two scales. */
export const scaled = (
  sums: string,
  scales: readonly [input: string, weight: string],
  value: string,
  fresh: Names,
): readonly Node[] => {
  const [floats, product] = [fresh(`${sums}_f`), fresh(`${sums}_s`)];
  return [
    castNode(sums, floats, "float32"),
    makeNode("Mul", [...scales], [product]),
    makeNode("Mul", [floats, product], [value]),
  ];
};

/** A value times a number, where that is not 1. */
const times = (value: string, factor: number, fresh: Names) => {
  if (factor === 1) return { value, nodes: [], weights: [] };
  const [product, constant] = [fresh(`${value}_m`), fresh(`${value}_k`)];
  const weights: (readonly [string, Tensor])[] = [[constant, tensor("float32", [], Float32Array.of(factor))]];
  return { value: product, nodes: [makeNode("Mul", [value, constant], [product])], weights };
};

/**
 * Nodes in place of a `MatMul` or `Gemm` whose input is quantized while the model runs:
 *
 *     y = alpha * Cast(MatMulInteger(xq, Wq, xz, Wz)) * (xs * ws) + beta * bias
 *
 * onnxruntime makes one kernel of them where it knows the pattern; it wants the two scales multiplied first.
 *
 * @param weights codes [in, out], scales [out] or one
 */
export const dynamicMatMul = (node: Node, input: DynamicInput, weights: IntegerWeights, fresh: Names): Piece => {
  const output = node.outputs[0]!;
  const sums = fresh(`${output}_i`);
  const gemm = node.opType === "Gemm";
  const [alpha, beta] = gemm ? [attrs.floatOf(node, "alpha", 1), attrs.floatOf(node, "beta", 1)] : [1, 1];
  const bias = gemm && node.inputs[2] ? times(node.inputs[2], beta, fresh) : undefined;
  const scale = times(input.scale, alpha, fresh);
  const turned = gemm && attrs.intOf(node, "transA", 0) !== 0;
  const codes = turned ? fresh(`${input.codes}_t`) : input.codes;
  const result = bias ? fresh(`${output}_p`) : output;
  return {
    nodes: [
      ...(turned ? [makeNode("Transpose", [input.codes], [codes], { perm: attrs.ints([1, 0]) })] : []),
      ...scale.nodes,
      makeNode("MatMulInteger", [codes, weights.codes, input.zero, weights.zero], [sums], {}, { name: node.name }),
      ...scaled(sums, [scale.value, weights.scale], result, fresh),
      ...(bias ? [...bias.nodes, makeNode("Add", [result, bias.value], [output])] : []),
    ],
    weights: new Map([...scale.weights, ...(bias?.weights ?? [])]),
    opsets: needsDynamic,
    shared: [weights],
  };
};
