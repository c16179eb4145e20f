import { mapSubgraphs, tensorAttr } from "../attrs.ts";
import { EspalierError } from "../errors.ts";
import type { Graph, Model, Node, ValueInfo } from "../model.ts";
import type { Tensor } from "../tensor.ts";

/** Where a weight is: a name and the graph that holds it, as `layer.weight` has them. */
export interface WeightPlace {
  readonly name: string;
  readonly owner: Graph;
}

type Changes = ReadonlyMap<Graph, ReadonlyMap<string, Tensor>>;

const byGraph = (weights: Iterable<readonly [WeightPlace, Tensor]>): Map<Graph, Map<string, Tensor>> => {
  const changes = new Map<Graph, Map<string, Tensor>>();
  for (const [{ name, owner }, tensor] of weights)
    changes.set(owner, (changes.get(owner) ?? new Map<string, Tensor>()).set(name, tensor));
  return changes;
};

/** What a graph says of a weight, where the new one has another type or other dims. */
const retyped = (infos: readonly ValueInfo[], weights: ReadonlyMap<string, Tensor>): readonly ValueInfo[] =>
  infos.map((info) => {
    const weight = weights.get(info.name);
    if (!weight || info.type?.kind !== "tensor") return info;
    const { type, shape } = info.type;
    const same = type === weight.type && shape?.join() === weight.dims.join();
    return same ? info : { ...info, type: { kind: "tensor", type: weight.type, shape: weight.dims } };
  });

/** The node with a new value, where it is a `Constant` node of one of the names. */
const constant = (node: Node, weights: ReadonlyMap<string, Tensor>): Node => {
  const weight = node.domain === "" && node.opType === "Constant" ? weights.get(node.outputs[0]) : undefined;
  return weight ? { ...node, attributes: new Map([["value", tensorAttr(weight)]]) } : node;
};

const holds = ({ weights, nodes }: Graph, name: string): boolean =>
  weights.has(name) || nodes.some(({ opType, outputs }) => opType === "Constant" && outputs[0] === name);

const changed = (graph: Graph, changes: Changes, done: Map<Graph, Graph>): Graph => {
  const known = done.get(graph);
  if (known) return known;
  const inner = graph.nodes.map((node) => mapSubgraphs(node, (subgraph) => changed(subgraph, changes, done)));
  const weights = changes.get(graph);
  let result = inner.some((node, i) => node !== graph.nodes[i]) ? { ...graph, nodes: inner } : graph;
  if (weights) {
    result = {
      ...graph,
      nodes: inner.map((node) => constant(node, weights)),
      weights: new Map([...graph.weights].map(([name, weight]) => [name, weights.get(name) ?? weight])),
      inputs: retyped(graph.inputs, weights),
      values: retyped(graph.values, weights),
    };
  }
  done.set(graph, result);
  return result;
};

/**
 * The model with other tensors in place of weights, in initializers or `Constant` nodes of whichever graph; everything
 * else is shared with it. A tensor may have other dims or another type than the one it stands for; types that the
 * model declares for values behind it are then the caller's to change.
 *
 * @param weights pairs of place and tensor: a `Map` whose keys are `layer.weight` of this model's layers
 * @throws EspalierError `NOT_FOUND` for a place that the model does not have
 */
export const replaceWeights = (model: Model, weights: Iterable<readonly [WeightPlace, Tensor]>): Model => {
  const changes = byGraph(weights);
  const done = new Map<Graph, Graph>();
  const graph = changed(model.graph, changes, done);
  for (const [owner, tensors] of changes) {
    const missing = [...tensors.keys()].find((name) => !done.has(owner) || !holds(owner, name));
    if (missing !== undefined)
      throw new EspalierError(
        "NOT_FOUND",
        "core/layers",
        `the model has no weight "${missing}" in the graph that is named. Take places from layers() of this very model.`,
      );
  }
  return graph === model.graph ? model : { ...model, graph };
};
