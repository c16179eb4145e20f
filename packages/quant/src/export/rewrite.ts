import { type Attribute, attrs, type Graph, type Model, type Node } from "@espalier/core";
import type { Piece } from "./piece.ts";

/** What to put in place of weights and of nodes. */
export interface Replacements {
  /** By name of an initializer or `Constant` output: nodes that make a value of that name. */
  readonly values: ReadonlyMap<string, Piece>;
  readonly nodes: ReadonlyMap<Node, Piece>;
  /** Weights that the replaced nodes read: dropped where nothing reads them any more. */
  readonly sweep: ReadonlySet<string>;
}

/** First IR version whose initializers need not be graph inputs. */
const FREE_INITIALIZERS = 4;

const namesUsed = (graph: Graph, used: Set<string>): Set<string> => {
  for (const { name } of graph.outputs) used.add(name);
  for (const node of graph.nodes) {
    for (const name of node.inputs) used.add(name);
    for (const { graph: inner } of attrs.subgraphsOf(node)) namesUsed(inner, used);
  }
  return used;
};

/** The model with pieces in place of weights and nodes, in every graph; weights that became useless are dropped. */
export const rewrite = (model: Model, { values, nodes: replaced, sweep }: Replacements): Model => {
  const opsets = new Map(model.opsets);
  const shared = new Set<Piece>();
  const note = (piece: Piece) => {
    for (const [domain, version] of piece.opsets ?? []) opsets.set(domain, Math.max(version, opsets.get(domain) ?? 0));
    if (piece.shared) shared.add(piece.shared);
  };
  const visitNode = (node: Node): Node => {
    if (attrs.subgraphsOf(node).length === 0) return node;
    const attributes = new Map<string, Attribute>();
    for (const [key, attribute] of node.attributes) {
      if (attribute.kind === "graph") attributes.set(key, { ...attribute, value: visit(attribute.value) });
      else if (attribute.kind === "graphs") attributes.set(key, { ...attribute, value: attribute.value.map(visit) });
      else attributes.set(key, attribute);
    }
    return { ...node, attributes };
  };
  const visit = (graph: Graph): Graph => {
    const weights = new Map(graph.weights);
    const nodes: Node[] = [];
    const gone = new Set<string>();
    const put = (piece: Piece) => {
      note(piece);
      nodes.push(...piece.nodes);
      for (const [name, tensor] of piece.weights) weights.set(name, tensor);
    };
    for (const name of graph.weights.keys()) {
      const piece = values.get(name);
      if (!piece) continue;
      weights.delete(name);
      gone.add(name);
      put(piece);
    }
    for (const node of graph.nodes) {
      const constant = node.opType === "Constant" ? values.get(node.outputs[0]!) : undefined;
      const piece = constant ?? replaced.get(node);
      if (piece) put(piece);
      else nodes.push(visitNode(node));
    }
    return { ...graph, nodes, weights, inputs: graph.inputs.filter(({ name }) => !gone.has(name)) };
  };
  const main = visit(model.graph);
  const head = [...shared];
  const graph: Graph = {
    ...main,
    nodes: [...head.flatMap((piece) => piece.nodes), ...main.nodes],
    weights: new Map([...head.flatMap((piece) => [...piece.weights]), ...main.weights]),
  };
  return {
    ...model,
    irVersion: Math.max(model.irVersion, FREE_INITIALIZERS),
    opsets,
    graph: swept(graph, sweep, namesUsed(graph, new Set())),
  };
};

/** The graph without the named weights, as initializers or `Constant` nodes, that nothing uses. */
const swept = (graph: Graph, names: ReadonlySet<string>, used: ReadonlySet<string>): Graph => {
  const useless = (name: string) => names.has(name) && !used.has(name);
  const inner = (node: Node): Node => {
    if (attrs.subgraphsOf(node).length === 0) return node;
    const attributes = new Map<string, Attribute>();
    for (const [key, attribute] of node.attributes)
      attributes.set(
        key,
        attribute.kind === "graph" ? { ...attribute, value: swept(attribute.value, names, used) } : attribute,
      );
    return { ...node, attributes };
  };
  return {
    ...graph,
    inputs: graph.inputs.filter(({ name }) => !(graph.weights.has(name) && useless(name))),
    weights: new Map([...graph.weights].filter(([name]) => !useless(name))),
    nodes: graph.nodes.filter((node) => !(node.opType === "Constant" && useless(node.outputs[0]!))).map(inner),
  };
};
