import { makeNode } from "../attrs.ts";
import type { Node } from "../model.ts";
import { type Tensor, tensor } from "../tensor.ts";
import { affineOf, type Channels, chainFrom } from "./affine.ts";
import { type FoldGraph, usesIn } from "./fold-graph.ts";

const isProduct = (node: Node) => node.domain === "" && (node.opType === "Mul" || node.opType === "Div");

const scalarFactor = (node: Node, graph: FoldGraph) => {
  for (const [i, name] of node.inputs.entries()) {
    const factor = graph.constant(name);
    if (factor && (factor.type === "float32" || factor.type === "float64") && factor.dims.every((dim) => dim === 1)) {
      return { factor, input: node.inputs[1 - i] };
    }
  }
  return undefined;
};

/**
 * Products and quotients with constant scalars, one after another, as one product:
 *
 *     x / a * b = x * (b / a)
 *
 * Sums are left alone: multiplied out, they could lose what cancels.
 */
export const mergeProducts = async (graph: FoldGraph): Promise<void> => {
  const uses = usesIn(graph);
  const productsOnly = new Map([...uses].filter(([, readers]) => readers.every(({ node }) => isProduct(node))));
  const replaced = new Map<Node, readonly Node[]>();
  for (const node of graph.nodes) {
    if (replaced.has(node) || !isProduct(node)) continue;
    const found = scalarFactor(node, graph);
    if (!found || graph.constant(found.input)) continue;
    const { factor, input } = found;
    const channels: Channels = { count: 1, axis: "last", rank: Math.max(1, factor.dims.length), type: factor.type };
    const first = await affineOf(node, input, graph, channels);
    const chain = await chainFrom(node.outputs[0], graph, productsOnly, channels);
    if (!first || chain.nodes.length === 0) continue;
    const value = first.scale[0] * chain.scale[0];
    const rank = Math.max(...[node, ...chain.nodes].map((n) => scalarFactor(n, graph)?.factor.dims.length ?? 0));
    const dims = new Array<number>(rank).fill(1);
    const data = factor.type === "float32" ? Float32Array.of(value) : Float64Array.of(value);
    if (!Number.isFinite(data[0]) || data[0] === 0) continue;
    const name = graph.fresh(`${chain.output}_factor`);
    graph.weights.set(name, tensor(factor.type, dims, data as Float32Array) as Tensor);
    for (const gone of chain.nodes) replaced.set(gone, []);
    replaced.set(node, [makeNode("Mul", [input, name], [chain.output], {}, { name: node.name })]);
  }
  if (replaced.size > 0) graph.nodes = graph.nodes.flatMap((node) => replaced.get(node) ?? [node]);
};
