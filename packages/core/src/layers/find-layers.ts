import { type Constant, innerScopes, labelOf, mainScope, type Scope, uniqueName, walkGraphs } from "../graph.ts";
import type { Layer, LayerUse } from "../layers.ts";
import type { Graph, Model, Node } from "../model.ts";
import { groupsOf, slotsOf } from "./slots.ts";
import { type FoundWeight, layerWeight, weightIn } from "./weight.ts";

/** A weight, and the places that use it. */
interface Place {
  readonly found: FoundWeight;
  readonly uses: [LayerUse, ...LayerUse[]];
  /** The weight of its node that gives the layer the node's name; others have the input's index behind it. */
  readonly usual: boolean;
  readonly bias: string;
}

type Places = Map<Graph, Map<string, Place>>;

const put = (places: Places, { graph, name }: Constant, use: LayerUse, make: () => Omit<Place, "uses">) => {
  const kept = places.get(graph) ?? new Map<string, Place>();
  places.set(graph, kept);
  const place = kept.get(name);
  if (place) {
    place.uses.push(use);
    return undefined;
  }
  const made: Place = { ...make(), uses: [use] };
  kept.set(name, made);
  return made;
};

const visitNode = (scope: Scope, node: Node, places: Places, found: Place[]) => {
  for (const [position, slot] of slotsOf(node).entries()) {
    const weight = weightIn(scope, node, slot);
    if (!weight) continue;
    const use: LayerUse = {
      node,
      index: slot.index,
      kind: slot.kind,
      layout: weight.layout,
      path: scope.path,
      input: node.inputs[slot.met] ?? "",
      output: node.outputs[0] ?? "",
    };
    const usual = position === 0 || slot.either === true;
    const bias = slot.bias === undefined ? "" : (node.inputs[slot.bias] ?? "");
    const place = put(places, weight.constant, use, () => ({ found: weight, usual, bias }));
    if (place) found.push(place);
    if (slot.either) return;
  }
};

const visit = (scope: Scope, places: Places, found: Place[]): void => {
  for (const node of scope.graph.nodes) {
    for (const inner of innerScopes(scope, node)) visit(inner, places, found);
    visitNode(scope, node, places, found);
  }
};

/** Labels that more than one node of the model has. */
const sharedLabels = (model: Model): ReadonlySet<string> => {
  const [seen, shared] = [new Set<string>(), new Set<string>()];
  for (const { graph } of walkGraphs(model))
    for (const node of graph.nodes) {
      const label = labelOf(node);
      if (seen.has(label)) shared.add(label);
      seen.add(label);
    }
  return shared;
};

const layerOf = ({ found, uses, bias }: Place, name: string): Layer => {
  const [{ node, kind, input, output, path }] = uses;
  return {
    name,
    kind,
    weight: layerWeight(found, kind),
    groups: kind === "conv" ? groupsOf(node, found.seen) : 1,
    uses,
    node,
    input,
    output,
    path,
    ...(bias && { bias }),
  };
};

/**
 * Every weight-bearing place of a model, in the order of execution, those in subgraphs (`If`, `Loop`, `Scan`) before
 * the node that has them: Conv, ConvTranspose and DeformConv, MatMul and Gemm with the weight on either side, Gather,
 * LSTM, GRU and RNN (a layer for the input weights and one for the recurrent), and onnxruntime's Attention of all
 * kinds, EmbedLayerNormalization, FusedConv, FusedGemm and FusedMatMul.
 *
 * A weight is a float tensor of two axes or more in an initializer or a `Constant` node of this graph or one around
 * it, also where `Identity`, `Transpose` and `Cast` stand between. Weights that other nodes compute, sparse ones, and
 * what stands in functions of the model are not found.
 *
 * A layer has the name of the first node that uses its weight, else its first output; where nodes share that, the path
 * to the graph stands before it; where a node has several weights, the input's index behind all but the first.
 *
 * @throws EspalierError `BAD_MODEL` for attributes of a wrong kind and groups or axes that do not fit the weight
 */
export const layers = (model: Model): readonly Layer[] => {
  const places: Place[] = [];
  visit(mainScope(model), new Map(), places);
  const shared = sharedLabels(model);
  const taken = new Set<string>();
  return places.map((place) => {
    const { node, path, index } = place.uses[0];
    const label = labelOf(node);
    const base = shared.has(label) ? [...path, label].join("/") : label;
    return layerOf(place, uniqueName(place.usual ? base : `${base}:${index}`, taken));
  });
};
