import { consumers, type Graph, type Layer, type Model, type Node, type Scope, walkGraphs } from "@espalier/core";

const PASS_THROUGH: ReadonlySet<string> = new Set(["Identity", "Transpose"]);

/** Where a name is read: by a node through an input, or by the graph's outputs. */
const readsOf = (graph: Graph, name: string): { node?: Node; index: number }[] => {
  const found: { node?: Node; index: number }[] = [...(consumersOf(graph).get(name) ?? [])];
  if (graph.outputs.some((output) => output.name === name)) found.push({ index: -1 });
  return found;
};

const known = new WeakMap<Graph, ReturnType<typeof consumers>>();
const consumersOf = (graph: Graph) => {
  const found = known.get(graph) ?? consumers(graph);
  known.set(graph, found);
  return found;
};

/** Every node that reads a weight, through Identity and Transpose, as "node, index"; -1 for what is no input of a node. */
const finalReads = (graph: Graph, name: string): { node?: Node; index: number }[] =>
  readsOf(graph, name).flatMap((read) => {
    const { node } = read;
    return node && read.index >= 0 && node.domain === "" && PASS_THROUGH.has(node.opType)
      ? finalReads(graph, node.outputs[0])
      : [read];
  });

/** Why the weight of a layer cannot go when its uses are rewritten; undefined where it can. */
export const keptBy = (layer: Layer): string | undefined => {
  const { uses, weight } = layer;
  const inner = uses.some(({ path, node }) => path.length > 0 && !weight.owner.nodes.includes(node));
  const stranger = finalReads(weight.owner, weight.name).find(
    ({ node, index }) =>
      !(uses.some((use) => use.node === node && use.index === index) || (index < 0 && node && inner)),
  );
  if (!stranger) return undefined;
  if (!stranger.node) return "its weight is an output of the graph";
  return `its weight is also read by ${stranger.node.opType} "${stranger.node.name || stranger.node.outputs[0]}"`;
};

/** The scope of every graph of a model. */
export const scopesOf = (model: Model): ReadonlyMap<Graph, Scope> =>
  new Map([...walkGraphs(model)].map((scope) => [scope.graph, scope]));
