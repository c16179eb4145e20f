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
  rowwise = false,
): readonly Node[] => {
  const [floats, product] = [fresh(`${sums}_f`), fresh(`${sums}_s`)];
  // onnxruntime 1.30 would make one kernel of it that reads the scale of the first row only
  if (rowwise)
    return [
      castNode(sums, floats, "float32"),
      makeNode("Mul", [floats, scales[1]], [product]),
      makeNode("Mul", [product, scales[0]], [value]),
    ];
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

/** A part of the input, and the weights that meet it: codes [in, out], scales [out] or one. */
export type DynamicPart = readonly [input: DynamicInput, weights: IntegerWeights];

/**
 * Nodes in place of a `MatMul` or `Gemm` whose input is quantized while the model runs, summed over its parts:
 *
 *     y = alpha * Σ Cast(MatMulInteger(xq, Wq, xz, Wz)) * (xs * ws) + beta * bias
 *
 * onnxruntime makes one kernel of each product where it knows the pattern; it wants the two scales multiplied first.
 */
export const dynamicMatMul = (node: Node, parts: readonly DynamicPart[], fresh: Names): Piece => {
  const output = node.outputs[0]!;
  const gemm = node.opType === "Gemm";
  const [alpha, beta] = gemm ? [attrs.floatOf(node, "alpha", 1), attrs.floatOf(node, "beta", 1)] : [1, 1];
  const transposed = gemm && attrs.intOf(node, "transA", 0) !== 0;
  const bias = gemm && node.inputs[2] ? times(node.inputs[2], beta, fresh) : undefined;
  const nodes: Node[] = [];
  const weights = new Map<string, Tensor>(bias?.weights);
  const products = parts.map(([input, { codes, scale, zero }], i) => {
    const sums = fresh(`${output}_i`);
    const turned = transposed ? fresh(`${input.codes}_t`) : input.codes;
    if (transposed) nodes.push(makeNode("Transpose", [input.codes], [turned], { perm: attrs.ints([1, 0]) }));
    const inputScale = times(input.scale, alpha, fresh);
    for (const [name, constant] of inputScale.weights) weights.set(name, constant);
    const product = parts.length > 1 || bias ? fresh(`${output}_p`) : output;
    const name = i === 0 ? node.name : "";
    nodes.push(
      ...inputScale.nodes,
      makeNode("MatMulInteger", [turned, codes, input.zero, zero], [sums], {}, { name }),
      ...scaled(sums, [inputScale.value, scale], product, fresh, input.rowwise),
    );
    return product;
  });
  const terms = bias ? [...products, bias.value] : products;
  nodes.push(...(bias?.nodes ?? []));
  terms.slice(1).reduce((sum, term, i) => {
    const next = i === terms.length - 2 ? output : fresh(`${output}_t`);
    nodes.push(makeNode("Add", [sum, term], [next]));
    return next;
  }, terms[0]!);
  return { nodes, weights, opsets: needsDynamic, shared: parts.map(([, part]) => part) };
};
