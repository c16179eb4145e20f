import { attrs, type Graph, type Layer, type LayerUse, type Model } from "@espalier/core";

/** How often each value is read, by nodes of every graph and as an output. */
const readCounts = (model: Model): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  const add = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
  const visit = (graph: Graph) => {
    for (const { name } of graph.outputs) add(name);
    for (const node of graph.nodes) {
      for (const name of node.inputs) add(name);
      for (const { graph: inner } of attrs.subgraphsOf(node)) visit(inner);
    }
  };
  visit(model.graph);
  return counts;
};

/** True where the node reads the weight itself, and not what other nodes make of it. */
const isDirect = ({ node, index }: LayerUse, weight: string): boolean => node.inputs[index] === weight;

/**
 * Names of weights that something beside their layer reads, such as an embedding table that is also transposed for the
 * last product. They must stay values of their own: forms that replace the layer's nodes would store them twice.
 */
export const readElsewhere = (model: Model, layers: readonly Layer[]): ReadonlySet<string> => {
  const counts = readCounts(model);
  return new Set(
    layers
      .filter(
        ({ weight, uses }) => (counts.get(weight.name) ?? 0) > uses.filter((use) => isDirect(use, weight.name)).length,
      )
      .map(({ weight }) => weight.name),
  );
};
