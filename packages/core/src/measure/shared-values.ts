import { readsOf } from "../graph.ts";
import type { Graph, Model, Node } from "../model.ts";

/** Operators whose outputs are no tensors, which cannot be fetched. */
const NO_TENSORS: ReadonlySet<string> = new Set([
  "Optional",
  "SequenceConstruct",
  "SequenceEmpty",
  "SequenceErase",
  "SequenceInsert",
  "SequenceMap",
  "SplitToSequence",
]);

const isTensorNode = ({ domain, opType }: Node) => domain !== "" || !NO_TENSORS.has(opType);

/** Values of the main graph that depend on its inputs, in order. */
const changingValues = (graph: Graph): string[] => {
  const changing = new Set(graph.inputs.map(({ name }) => name).filter((name) => !graph.weights.has(name)));
  const values: string[] = [];
  for (const node of graph.nodes) {
    if (![...readsOf(node)].some((name) => changing.has(name))) continue;
    for (const name of node.outputs) {
      if (name === "") continue;
      changing.add(name);
      if (isTensorNode(node)) values.push(name);
    }
  }
  return values;
};

/** Inner values that two models both have, that depend on the input, in the order of the first. */
export const sharedValues = (a: Model, b: Model): string[] => {
  const others = new Set(changingValues(b.graph));
  const outputs = new Set([...a.graph.outputs, ...b.graph.outputs].map(({ name }) => name));
  return changingValues(a.graph).filter((name) => others.has(name) && !outputs.has(name));
};
