import { attrs, type Graph, type Model, type Node, type WeightPlace } from "@espalier/core";
import type { Piece } from "./piece.ts";

/** What to put in place of weights and of nodes. Places are those of the model's own layers and constants. */
export interface Replacements {
  /** Initializers or outputs of `Constant` nodes: nodes that make a value of the same name. */
  readonly values?: ReadonlyMap<WeightPlace, Piece>;
  readonly nodes?: ReadonlyMap<Node, Piece>;
  /** Weights that the replaced nodes read: dropped where nothing reads them any more. */
  readonly sweep?: Iterable<WeightPlace>;
}

/** First IR version whose initializers need not be graph inputs. */
const FREE_INITIALIZERS = 4;

/** Something by graph and name. */
type ByPlace<T> = ReadonlyMap<Graph, ReadonlyMap<string, T>>;

const byPlace = <T>(entries: Iterable<readonly [WeightPlace, T]>): ByPlace<T> => {
  const found = new Map<Graph, Map<string, T>>();
  for (const [{ owner, name }, value] of entries)
    found.set(owner, (found.get(owner) ?? new Map<string, T>()).set(name, value));
  return found;
};

const none = new Map<string, never>();

/** Names that nodes and outputs of a graph and its subgraphs read. */
const namesRead = (graph: Graph, names: Set<string> = new Set()): ReadonlySet<string> => {
  for (const { name } of graph.outputs) names.add(name);
  for (const node of graph.nodes) {
    for (const name of node.inputs) names.add(name);
    for (const { graph: inner } of attrs.subgraphsOf(node)) namesRead(inner, names);
  }
  return names;
};

/** The graph without the named weights, as initializers or `Constant` nodes, that nothing reads. */
const swept = (graph: Graph, names: ReadonlyMap<string, unknown>): Graph => {
  if (names.size === 0) return graph;
  const read = namesRead(graph);
  const useless = (name: string) => names.has(name) && !read.has(name);
  return {
    ...graph,
    inputs: graph.inputs.filter(({ name }) => !(graph.weights.has(name) && useless(name))),
    weights: new Map([...graph.weights].filter(([name]) => !useless(name))),
    nodes: graph.nodes.filter((node) => !(node.opType === "Constant" && useless(node.outputs[0]!))),
  };
};

/** The model with pieces in place of weights and nodes, in every graph; weights that became useless are dropped. The very model where nothing is replaced. */
export const rewrite = (
  model: Model,
  { values = new Map(), nodes: replaced = new Map(), sweep: places = [] }: Replacements,
): Model => {
  const sweep = [...places];
  if (values.size === 0 && replaced.size === 0 && sweep.length === 0) return model;
  const opsets = new Map(model.opsets);
  const shared = new Set<Piece>();
  const pieces = byPlace(values);
  const sweeping = byPlace(sweep.map((place) => [place, true]));

  const visit = (graph: Graph): Graph => {
    const own = pieces.get(graph) ?? none;
    const weights = new Map(graph.weights);
    const nodes: Node[] = [];
    const put = (piece: Piece) => {
      for (const [domain, version] of piece.opsets ?? [])
        opsets.set(domain, Math.max(version, opsets.get(domain) ?? 0));
      for (const one of piece.shared ?? []) shared.add(one);
      nodes.push(...piece.nodes);
      for (const [name, tensor] of piece.weights) weights.set(name, tensor);
    };
    for (const [name, piece] of own) if (weights.delete(name)) put(piece);
    for (const node of graph.nodes) {
      const piece = (node.opType === "Constant" ? own.get(node.outputs[0]!) : undefined) ?? replaced.get(node);
      if (piece) put(piece);
      else nodes.push(attrs.mapSubgraphs(node, visit));
    }
    const inputs = graph.inputs.filter(({ name }) => !(graph.weights.has(name) && own.has(name)));
    return swept({ ...graph, nodes, weights, inputs }, sweeping.get(graph) ?? none);
  };

  const main = visit(model.graph);
  const head = [...shared];
  return {
    ...model,
    irVersion: Math.max(model.irVersion, FREE_INITIALIZERS),
    opsets,
    graph: {
      ...main,
      nodes: [...head.flatMap((piece) => piece.nodes), ...main.nodes],
      weights: new Map([...head.flatMap((piece) => [...piece.weights]), ...main.weights]),
    },
  };
};
