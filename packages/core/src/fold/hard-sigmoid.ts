import { float, floatOf, makeNode } from "../attrs.ts";
import type { Consumer } from "../graph.ts";
import type { Node } from "../model.ts";
import { readData, type Tensor, tensor } from "../tensor.ts";
import { affineOf } from "./affine.ts";
import { type FoldGraph, usesIn } from "./fold-graph.ts";

type Uses = ReadonlyMap<string, readonly Consumer[]>;

const numberOf = async (t: Tensor | undefined): Promise<number | undefined> =>
  t?.type === "float32" && t.dims.every((dim) => dim === 1) ? ((await readData(t)) as Float32Array)[0] : undefined;

/** The node that alone reads a value which no caller sees. */
const onlyReader = (value: string, graph: FoldGraph, uses: Uses): Consumer | undefined => {
  const [reader, ...others] = uses.get(value) ?? [];
  return reader && others.length === 0 && reader.index >= 0 && !graph.outputs.has(value) ? reader : undefined;
};

/** x and a of a node that is x + a, where a has no more axes than x. */
const sumOf = async (node: Node, graph: FoldGraph, rankOf: (value: string) => number | undefined) => {
  for (const [i, name] of node.inputs.entries()) {
    const constant = graph.constant(name);
    const a = await numberOf(constant);
    const x = node.inputs[1 - i];
    const axes = constant?.dims.length ?? 0;
    if (a !== undefined && !graph.constant(x) && (axes === 0 || axes <= (rankOf(x) ?? 0))) return { x, a };
  }
  return undefined;
};

/** Upper bound of a Clip from 0, below opset 11 in attributes and above in inputs. */
const upperBound = async (node: Node, graph: FoldGraph): Promise<number | undefined> => {
  const [, low = "", high = ""] = node.inputs;
  const bound = async (name: string, attribute: string) =>
    name === "" ? floatOf(node, attribute, Number.NaN) : numberOf(graph.constant(name));
  const [least, most] = [await bound(low, "min"), await bound(high, "max")];
  return least === 0 && most !== undefined && most > 0 && Number.isFinite(most) ? most : undefined;
};

/** The product or quotient by a scalar that alone reads a value, and its factor. */
const scalarProduct = async (value: string, graph: FoldGraph, uses: Uses) => {
  const reader = onlyReader(value, graph, uses);
  if (!reader || !["Mul", "Div"].includes(reader.node.opType)) return undefined;
  const channels = { count: 1, axis: "last", rank: 1, type: "float32" } as const;
  const affine = await affineOf(reader.node, value, graph, channels);
  return affine && { node: reader.node, factor: affine.scale[0] };
};

/**
 * Clipped sums as HardSigmoid, one pass over the values in place of two:
 *
 *     clip(x + a, 0, m) = m * HardSigmoid(x; alpha = 1 / m, beta = a / m)
 *
 * Where the result is a factor of a product, as in x * clip(x + 3, 0, 6) / 6, the m comes behind that product, where it
 * meets the next factor and goes with it when both make 1.
 */
export const hardSigmoids = async (graph: FoldGraph, rankOf: (value: string) => number | undefined): Promise<void> => {
  const uses = usesIn(graph);
  const replaced = new Map<Node, readonly Node[]>();
  for (const node of graph.nodes) {
    if (node.domain !== "" || node.opType !== "Add") continue;
    const clip = onlyReader(node.outputs[0], graph, uses)?.node;
    if (clip?.opType !== "Clip" || clip.domain !== "" || clip.inputs[0] !== node.outputs[0]) continue;
    const sum = await sumOf(node, graph, rankOf);
    const most = await upperBound(clip, graph);
    if (!sum || most === undefined) continue;
    const attributes = { alpha: float(1 / most), beta: float(sum.a / most) };
    const sigmoid = graph.fresh(`${clip.outputs[0]}_h`);
    replaced.set(node, []);
    replaced.set(clip, [makeNode("HardSigmoid", [sum.x], [sigmoid], attributes, { name: clip.name })]);
    const times = (value: string, output: string): Node => {
      const factor = graph.fresh(`${output}_factor`);
      graph.weights.set(factor, tensor("float32", [], Float32Array.of(most)));
      return makeNode("Mul", [value, factor], [output]);
    };
    const product = onlyReader(clip.outputs[0], graph, uses);
    const other = product?.node.inputs[1 - product.index];
    if (product?.node.opType !== "Mul" || !other || graph.constant(other) || replaced.has(product.node)) {
      replaced.set(clip, [...replaced.get(clip)!, times(sigmoid, clip.outputs[0])]);
      continue;
    }
    const [output] = product.node.outputs;
    const inputs = product.node.inputs.map((name, i) => (i === product.index ? sigmoid : name));
    const next = await scalarProduct(output, graph, uses);
    if (next && Math.fround(next.factor * most) === 1) {
      replaced.set(product.node, [{ ...product.node, inputs, outputs: next.node.outputs }]);
      replaced.set(next.node, []);
    } else {
      const bare = graph.fresh(`${output}_p`);
      replaced.set(product.node, [{ ...product.node, inputs, outputs: [bare] }, times(bare, output)]);
    }
  }
  if (replaced.size > 0) graph.nodes = graph.nodes.flatMap((node) => replaced.get(node) ?? [node]);
};
