import { allNames, type Layer, type Model, makeNode, type Node, type Tensor, tensor, uniqueName } from "@espalier/core";
import type { Levels } from "./learned-step.ts";

/** A layer in integers: its weight's codes in the file's own layout, and the grid of its input where that has one. */
export interface LearnedLayer {
  readonly layer: Layer;
  readonly codes: Int8Array;
  readonly step: number;
  readonly input?: { readonly step: number; readonly levels: Levels };
}

const BYTE = { low: 0, high: 255 };
const scalar = (value: number): Tensor => tensor("float32", [], Float32Array.of(value));

/**
 * The model with weights as int8 codes and steps (DequantizeLinear), and inputs through QuantizeLinear and
 * DequantizeLinear, cut to their grid by Clip where that has fewer than 256 codes. Layers of the main graph; opset 13.
 */
export const putLearned = (model: Model, learned: readonly LearnedLayer[]): Model => {
  const { graph } = model;
  const taken = allNames(model);
  const weights = new Map(graph.weights);
  const before = new Map<Node, { nodes: Node[]; node: Node }>();
  const decoders: Node[] = [];
  const gone = new Set<string>();
  for (const { layer, codes, step, input } of learned) {
    const { name, tensor: old } = layer.weight;
    const [q, s] = [uniqueName(`${name}_q`, taken), uniqueName(`${name}_s`, taken)];
    weights.delete(name);
    gone.add(name);
    weights.set(q, tensor("int8", old.dims, codes)).set(s, scalar(step));
    decoders.push(makeNode("DequantizeLinear", [q, s], [name]));
    if (!input) continue;
    const { node, input: value } = layer;
    const { low, high } = input.levels;
    const fresh = (suffix: string) => uniqueName(`${value}_${suffix}`, taken);
    const [scale, zero, coded, decoded] = [fresh("s"), fresh("z"), fresh("q"), fresh("d")];
    const type = low < 0 ? "int8" : "uint8";
    weights.set(scale, scalar(input.step));
    weights.set(zero, type === "int8" ? tensor(type, [], new Int8Array(1)) : tensor(type, [], new Uint8Array(1)));
    const nodes: Node[] = [];
    let from = value;
    if (low !== BYTE.low || high !== BYTE.high) {
      const [least, most, cut] = [fresh("low"), fresh("high"), fresh("c")];
      weights.set(least, scalar(Math.fround(low * input.step))).set(most, scalar(Math.fround(high * input.step)));
      nodes.push(makeNode("Clip", [from, least, most], [cut]));
      from = cut;
    }
    nodes.push(makeNode("QuantizeLinear", [from, scale, zero], [coded]));
    nodes.push(makeNode("DequantizeLinear", [coded, scale, zero], [decoded]));
    const at = node.inputs.indexOf(value);
    before.set(node, { nodes, node: { ...node, inputs: node.inputs.map((name_, i) => (i === at ? decoded : name_)) } });
  }
  const constants = new Set(
    graph.nodes.filter(({ opType, outputs }) => opType === "Constant" && gone.has(outputs[0]!)),
  );
  const nodes = graph.nodes.flatMap((node): Node[] => {
    if (constants.has(node)) return [];
    const found = before.get(node);
    return found ? [...found.nodes, found.node] : [node];
  });
  const values = graph.values.filter(({ name }) => !gone.has(name));
  const inputs = graph.inputs.filter(({ name }) => !gone.has(name));
  return { ...model, graph: { ...graph, nodes: [...decoders, ...nodes], weights, values, inputs } };
};
