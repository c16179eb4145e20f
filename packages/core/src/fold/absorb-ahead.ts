import { intOf, intsOf, makeNode, stringOf } from "../attrs.ts";
import type { Consumer } from "../graph.ts";
import type { Node } from "../model.ts";
import { readData, type Tensor, tensor } from "../tensor.ts";
import { type Affine, affineOf, type Channels, chainFrom } from "./affine.ts";
import { type FoldGraph, putWeight, usesIn } from "./fold-graph.ts";

type Uses = ReadonlyMap<string, readonly Consumer[]>;

/** A Conv whose weight and bias are constants that nothing else reads. */
interface Reader {
  readonly node: Node;
  readonly weight: Tensor<"float32">;
  readonly bias: Tensor<"float32"> | undefined;
  readonly groups: number;
  readonly padded: boolean;
}

const isPadded = (node: Node): boolean =>
  ["SAME_UPPER", "SAME_LOWER"].includes(stringOf(node, "auto_pad") ?? "") ||
  (intsOf(node, "pads") ?? []).some((pad) => pad !== 0);

const readerOf = ({ node, index }: Consumer, graph: FoldGraph, uses: Uses): Reader | undefined => {
  if (node.opType !== "Conv" || node.domain !== "" || index !== 0) return undefined;
  const [, weightName, biasName = ""] = node.inputs;
  const weight = graph.constant(weightName);
  const bias = graph.constant(biasName);
  if (weight?.type !== "float32" || weight.dims.length < 3 || weight.dims.includes(0)) return undefined;
  if (biasName !== "" && bias?.type !== "float32") return undefined;
  if (!graph.weights.has(weightName) || uses.get(weightName)?.length !== 1) return undefined;
  return {
    node,
    weight: weight as Tensor<"float32">,
    bias: bias as Tensor<"float32"> | undefined,
    groups: intOf(node, "group", 1),
    padded: isPadded(node),
  };
};

/** Sums and products from a node on, each the only reader of the one before, until convolutions alone read the last. */
const chainAhead = async (node: Node, graph: FoldGraph, uses: Uses) => {
  let output = node.outputs[0];
  let readers = uses.get(output) ?? [];
  // No chain is longer than the graph, unless the graph is damaged and has a cycle.
  for (let steps = 0; steps < graph.nodes.length && readers.length === 1; steps++) {
    const next = readers[0].node;
    if (!arithmetic.has(next.opType) || next.domain !== "" || graph.outputs.has(output)) break;
    [output] = next.outputs;
    readers = uses.get(output) ?? [];
  }
  const convs = readers.map((reader) => readerOf(reader, graph, uses));
  if (convs.length === 0 || graph.outputs.has(output) || !convs.every((conv) => conv !== undefined)) return undefined;
  const [{ weight, groups }] = convs;
  const channels: Channels = { count: weight.dims[1] * groups, axis: 1, rank: weight.dims.length, type: "float32" };
  const input = node.inputs.find((name) => name !== "" && !graph.constant(name));
  const first = input === undefined ? undefined : await affineOf(node, input, graph, channels);
  const rest = await chainFrom(node.outputs[0], graph, uses, channels);
  if (input === undefined || !first || rest.output !== output) return undefined;
  const affine: Affine = {
    scale: first.scale.map((a, c) => rest.scale[c] * a),
    shift: first.shift.map((b, c) => rest.scale[c] * b + rest.shift[c]),
  };
  return { input, output, nodes: [node, ...rest.nodes], affine, convs };
};

const arithmetic: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div", "BatchNormalization"]);

/** W'[o, i] = scale[i] W[o, i] and, where asked for, b'[o] = b[o] + Σ W[o, i] shift[i], summed over the kernel too. */
const scaledConv = async ({ weight, bias, groups }: Reader, { scale, shift }: Affine, shifts: boolean) => {
  const [out, inputs] = weight.dims;
  const w = (await readData(weight)) as Float32Array;
  const area = w.length / (out * inputs);
  const sums = bias ? Float64Array.from((await readData(bias)) as Float32Array) : new Float64Array(out);
  const values = Float32Array.from(w, (value, at) => {
    const o = Math.floor(at / (inputs * area));
    const channel = Math.floor((o * groups) / out) * inputs + (Math.floor(at / area) % inputs);
    if (shifts) sums[o] += value * shift[channel];
    return value * scale[channel];
  });
  return { weight: tensor("float32", weight.dims, values), bias: tensor("float32", [out], Float32Array.from(sums)) };
};

const allFinite = ({ data }: Tensor<"float32">) => data.every(Number.isFinite);

/**
 * Folds sums and products with constants for each channel into the convolutions behind them, where those alone read the
 * result:
 *
 *     W * (a x + b) = (W a) * x + Σ W b
 *
 * A padded convolution takes the factors only, for its padding is 0 after the sum: x + b / a then stands before it.
 */
export const absorbAhead = async (graph: FoldGraph): Promise<void> => {
  const uses = usesIn(graph);
  const replaced = new Map<Node, readonly Node[]>();
  for (const node of graph.nodes) {
    if (replaced.has(node) || node.domain !== "" || !arithmetic.has(node.opType)) continue;
    const chain = await chainAhead(node, graph, uses);
    if (!chain || chain.nodes.some((one) => replaced.has(one))) continue;
    const { input, output, nodes, affine, convs } = chain;
    const summed = affine.shift.some((value) => value !== 0);
    const keepsSum = summed && convs.some(({ padded }) => padded);
    const before = affine.shift.map((value, c) => value / affine.scale[c]);
    const constant = tensor(
      "float32",
      [before.length, ...convs[0].weight.dims.slice(2).map(() => 1)],
      Float32Array.from(before),
    );
    if (affine.scale.some((value) => value === 0) || (keepsSum && !allFinite(constant))) continue;
    if (keepsSum && affine.scale.every((value) => value === 1)) continue;
    const made = await Promise.all(convs.map((conv) => scaledConv(conv, affine, !keepsSum)));
    if (!made.every(({ weight, bias }) => allFinite(weight) && allFinite(bias))) continue;
    convs.forEach(({ node: conv, bias }, i) => {
      const [, weightName, biasName = ""] = conv.inputs;
      const weight = putWeight(graph, uses, weightName, `${weightName}_folded`, made[i].weight);
      const needsBias = summed && !keepsSum;
      const name = needsBias ? putWeight(graph, uses, biasName, `${conv.outputs[0]}_bias`, made[i].bias) : biasName;
      const own = bias || needsBias ? [name] : [];
      replaced.set(conv, [{ ...conv, inputs: [keepsSum ? output : input, weight, ...own] }]);
    });
    for (const gone of nodes) replaced.set(gone, []);
    if (!keepsSum) continue;
    const single = before.every((value) => value === before[0]);
    const sum = graph.fresh(`${output}_sum`);
    graph.weights.set(sum, single ? tensor("float32", [], Float32Array.of(before[0])) : constant);
    replaced.set(nodes[0], [makeNode("Add", [input, sum], [output])]);
  }
  if (replaced.size > 0) graph.nodes = graph.nodes.flatMap((node) => replaced.get(node) ?? [node]);
};
