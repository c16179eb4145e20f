import { attrs, type Graph, type Layer } from "@espalier/core";

/** How often each name is read in a graph and its subgraphs, by nodes and as an output. */
export const readCounts = (graph: Graph, counts: Map<string, number> = new Map()): ReadonlyMap<string, number> => {
  const add = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
  for (const { name } of graph.outputs) add(name);
  for (const node of graph.nodes) {
    for (const name of node.inputs) add(name);
    for (const { graph: inner } of attrs.subgraphsOf(node)) readCounts(inner, counts);
  }
  return counts;
};

/**
 * Layers whose weight something else reads too, such as an embedding table that is also transposed for the last
 * product. Such weights must stay values of their own: forms that replace the layer's nodes would store them twice.
 */
export const readElsewhere = (layers: readonly Layer[]): ReadonlySet<Layer> => {
  const known = new Map<Graph, ReadonlyMap<string, number>>();
  const countsOf = (graph: Graph) => {
    const counts = known.get(graph) ?? readCounts(graph);
    known.set(graph, counts);
    return counts;
  };
  return new Set(
    layers.filter(({ weight: { owner, name }, uses }) => {
      // uses that read what Transpose or Cast make of the weight do not read the weight itself
      const direct = uses.filter(({ node, index }) => node.inputs[index] === name).length;
      return (countsOf(owner).get(name) ?? 0) > direct;
    }),
  );
};
