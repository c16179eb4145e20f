import { intOf, intsOf, stringOf } from "../../attrs.ts";
import type { Node } from "../../model.ts";
import { sizeOf } from "../../tensor.ts";

/** Dims of a node's values in one execution; empty for inputs that are left out. */
export interface NodeDims {
  readonly inputs: readonly (readonly number[])[];
  readonly outputs: readonly (readonly number[])[];
}

/** Multiply-accumulates of one execution. */
type Rule = (node: Node, dims: NodeDims) => number;

const flag = (node: Node, name: string) => intOf(node, name, 0) !== 0;

/** Length of the axis that a product sums over, from its left factor [..., rows, inner]. */
const innerLength = (node: Node, a: readonly number[]): number => {
  if (!flag(node, "transA") || a.length < 2) return a.at(-1) ?? 1;
  // FusedMatMul may have its rows, or here the inner axis, before the stack
  return flag(node, "transBatchA") ? a[0] : a.at(-2)!;
};

// [..., m, k] x [..., k, n] -> [..., m, n]
const product: Rule = (node, { inputs, outputs }) => sizeOf(outputs[0]) * innerLength(node, inputs[0]);

// x [..., K], weights packed -> [..., N]
const packedProduct: Rule = (node, { outputs }) => sizeOf(outputs[0]) * intOf(node, "K", 0);

/** Each output sums over the weights of its channel: [out, in / groups, ...kernel]. */
const convolution =
  (weight: number): Rule =>
  (_, { inputs, outputs }) =>
    sizeOf(outputs[0]) * sizeOf(inputs[weight].slice(1));

/** Each input is multiplied by the weights of its channel: [in, out / groups, ...kernel]. */
const transposedConvolution: Rule = (_, { inputs }) => sizeOf(inputs[0]) * sizeOf(inputs[1].slice(1));

/** Every step multiplies all of W and R, of each direction. x [..., in] */
const recurrent: Rule = (_, { inputs: [x, w, r] }) => sizeOf(x.slice(0, -1)) * (sizeOf(w) + sizeOf(r));

/** Scores and mixing: query [batch, from, width] against `to` positions, then what they say [batch, from, width]. */
const attend = (query: readonly number[], output: readonly number[], to: number) =>
  (sizeOf(query) + sizeOf(output)) * to;

/** `past` [2, batch, heads, positions, width]. Its matrices are one weight [in, q + k + v]. */
const packedAttention =
  (past: number): Rule =>
  (node, { inputs, outputs }) => {
    const [batch, from, width] = inputs[0];
    const [, columns] = inputs[1];
    const [q = columns / 3] = intsOf(node, "qkv_hidden_sizes") ?? [];
    const to = from + (inputs[past]?.[3] ?? 0);
    return batch * from * width * columns + attend([batch, from, q], outputs[0], to);
  };

/** Positions of a key [batch, positions, width] or [batch, heads, positions, width]; packed with the query where left out. */
const positions = (key: readonly number[] | undefined, query: readonly number[]) =>
  key && key.length > 0 ? key.at(-2)! : query[1];

/** Query, key and value are given; `past` is the input that holds earlier keys [batch, heads, positions, width]. */
const attention =
  (past: number): Rule =>
  (_, { inputs, outputs }) => {
    const [query, key] = inputs;
    const output = outputs[0];
    // packed [batch, positions, heads, 3, width] holds the query once
    const own = query.length === 5 ? output : query;
    const to = positions(query.length === 5 ? undefined : key, query) + (inputs[past]?.at(-2) ?? 0);
    return attend(own, output, to);
  };

/** Its cache may be a buffer that is longer than what it holds, which `present` [batch, heads, positions, width] tells too. */
const groupedAttention: Rule = (_, { inputs, outputs }) => {
  const [query, key] = inputs;
  const output = outputs[0];
  const to = outputs[1]?.at(-2) ?? positions(key, query) + (inputs[3]?.at(-2) ?? 0);
  return attend(output, output, to);
};

/** Lengths of the labels of one term of an einsum; those under `...` are counted from the last. */
const labels = (term: string, dims: readonly number[], lengths: Map<string, number>) => {
  const [before, after] = term.includes("...") ? term.split("...") : [term, ""];
  const note = (label: string, length: number) => lengths.set(label, Math.max(length, lengths.get(label) ?? 1));
  [...before].forEach((label, i) => void note(label, dims[i]));
  [...after].forEach((label, i) => void note(label, dims[dims.length - after.length + i]));
  const hidden = dims.slice(before.length, dims.length - after.length);
  hidden.forEach((length, i) => void note(`...${hidden.length - i}`, length));
};

/** Every combination of labels is one product; of more than two terms, taken at once. */
const einsum: Rule = (node, { inputs }) => {
  const terms = (stringOf(node, "equation") ?? "").replaceAll(" ", "").split("->")[0].split(",");
  if (terms.length < 2) return 0;
  const lengths = new Map<string, number>();
  terms.forEach((term, i) => {
    labels(term, inputs[i], lengths);
  });
  return sizeOf([...lengths.values()]);
};

const standard: Readonly<Record<string, Rule>> = {
  Attention: attention(4),
  Conv: convolution(1),
  ConvInteger: convolution(1),
  ConvTranspose: transposedConvolution,
  DeformConv: convolution(1),
  Einsum: einsum,
  GRU: recurrent,
  Gemm: product,
  LSTM: recurrent,
  MatMul: product,
  MatMulInteger: product,
  QLinearConv: convolution(3),
  QLinearMatMul: product,
  RNN: recurrent,
};

/** Operators of onnxruntime's own. Source: onnxruntime, docs/ContribOperators.md. */
const microsoft: Readonly<Record<string, Rule>> = {
  Attention: packedAttention(4),
  ConvTransposeWithDynamicPads: transposedConvolution,
  DynamicQuantizeLSTM: recurrent,
  DynamicQuantizeMatMul: product,
  FusedConv: convolution(1),
  FusedGemm: product,
  FusedMatMul: product,
  FusedMatMulActivation: product,
  GemmFastGelu: product,
  GroupQueryAttention: groupedAttention,
  MatMulBnb4: packedProduct,
  MatMulIntegerToFloat: product,
  MatMulNBits: packedProduct,
  MultiHeadAttention: attention(6),
  NhwcFusedConv: convolution(1),
  QAttention: packedAttention(8),
  QGemm: product,
  QLinearConv: convolution(3),
  TransposeMatMul: product,
};

/** How the multiply-accumulates of a node are counted, or undefined where it has none. */
export const macRule = ({ domain, opType }: Node): Rule | undefined => {
  const rules = domain === "" ? standard : domain === "com.microsoft" ? microsoft : {};
  return Object.hasOwn(rules, opType) ? rules[opType] : undefined;
};
