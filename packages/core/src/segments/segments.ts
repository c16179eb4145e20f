import { subgraphsOf } from "../attrs.ts";
import { EspalierError } from "../errors.ts";
import { producers, readsOf } from "../graph.ts";
import { layers } from "../layers/find-layers.ts";
import type { Layer } from "../layers.ts";
import type { Graph, Model, Node } from "../model.ts";
import { classify, isSize, isWeighty, type NodeClass } from "./classify.ts";
import { cutNodes } from "./cuts.ts";

/** A piece of a model's main graph that runs on its own: see `segments`. */
export interface Segment {
  /** Name of its first layer, else of its first output. */
  readonly name: string;
  /** Values it needs: inputs of the model, and outputs of segments before; constants aside. */
  readonly inputs: readonly string[];
  /** Values that later segments need, and outputs of the model. */
  readonly outputs: readonly string[];
  /** In the order of the model; what is constant or cheap stands in every segment that needs it. */
  readonly nodes: readonly Node[];
  /** Layers whose first use is here. */
  readonly layers: readonly Layer[];
}

export interface SegmentOptions {
  /** Values that may cross cuts beside the one: those that many places read, such as what an encoder gives a decoder. */
  readonly carry?: readonly string[];
  /** How many values may cross a cut, those of `carry` aside. */
  readonly crossing?: number;
}

const checkOptions = (graph: Graph, { carry, crossing }: Required<SegmentOptions>) => {
  if (!(crossing >= 0))
    throw new EspalierError("BAD_OPTION", "core/segments", `crossing is ${crossing}. Give a number of values.`);
  const made = new Set([...graph.inputs.map(({ name }) => name), ...graph.nodes.flatMap(({ outputs }) => outputs)]);
  const missing = carry.filter((name) => !made.has(name));
  if (missing.length > 0)
    throw new EspalierError(
      "BAD_OPTION",
      "core/segments",
      `carry names ${missing.map((name) => `"${name}"`).join(", ")}, which the main graph does not make. Name values of it.`,
    );
};

/** Nodes that the outputs need. */
const liveNodes = (graph: Graph): readonly Node[] => {
  const read = new Set(graph.outputs.map(({ name }) => name));
  const live = graph.nodes.toReversed().filter((node) => {
    if (!node.outputs.some((name) => read.has(name))) return false;
    for (const name of readsOf(node)) read.add(name);
    return true;
  });
  return live.reverse();
};

/** The nodes of a run with the constant and free ones that they, and the values in `more`, need. */
const withNeeds = (
  run: readonly Node[],
  more: readonly string[],
  makers: ReadonlyMap<string, Node>,
  classes: ReadonlyMap<Node, NodeClass>,
): ReadonlySet<Node> => {
  const found = new Set(run);
  const pending = [...run.flatMap((node) => [...readsOf(node)]), ...more];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const node = makers.get(name);
    if (!node || found.has(node) || classes.get(node) === "own") continue;
    found.add(node);
    pending.push(...readsOf(node));
  }
  return found;
};

/** The node of the main graph that each node stands in. */
const mainNodes = (graph: Graph): ReadonlyMap<Node, Node> => {
  const mains = new Map<Node, Node>();
  const visit = (node: Node, main: Node) => {
    if (!mains.has(node)) mains.set(node, main);
    for (const { graph: inner } of subgraphsOf(node)) for (const child of inner.nodes) visit(child, main);
  };
  for (const node of graph.nodes) visit(node, node);
  return mains;
};

/**
 * The main graph in pieces that run one after the other, cut where a single value crosses: with the model's inputs and
 * that one value of each sample, the rest of the model can be run. Every piece but the last has a layer, and a cut
 * comes as late as it may before the next layer; where no cut is possible, pieces have many layers.
 *
 * What depends on the model's inputs through no product with weights (attention masks, positions, embeddings) crosses
 * nowhere: each piece that needs it computes it anew, from the inputs of the model. So the model's inputs are needed
 * throughout. Lengths (Shape, Size) of inner values are a few numbers and cross freely. Nodes that no output needs are
 * left out.
 *
 * @throws EspalierError `BAD_OPTION` when `carry` names what is not there; `BAD_MODEL` as `layers` does
 */
export const segments = (model: Model, { carry = [], crossing = 1 }: SegmentOptions = {}): readonly Segment[] => {
  const { graph } = model;
  checkOptions(graph, { carry, crossing });
  const makers = producers(graph);
  const classes = classify(graph);
  const live = liveNodes(graph);
  const carried = new Set(carry);
  const runs = cutNodes(
    live.filter((node) => classes.get(node) === "own"),
    isWeighty,
    (value) => !carried.has(value) && !isSize(makers.get(value)!),
    crossing,
  );
  const isMadeApart = (name: string) => classes.get(makers.get(name)!) !== "own";
  const wanted = graph.outputs.map(({ name }) => name);
  const sets = runs.map((run, i) =>
    withNeeds(run, i === runs.length - 1 ? wanted.filter(isMadeApart) : [], makers, classes),
  );
  const nodesOf = sets.map((set) => live.filter((node) => set.has(node)));
  const weights = new Set([...graph.weights.keys(), ...graph.sparseWeights.map(({ name }) => name)]);
  const inputsOf = nodesOf.map((nodes, i) => {
    const made = new Set(nodes.flatMap(({ outputs }) => outputs));
    const given = i === nodesOf.length - 1 ? wanted.filter((name) => !makers.has(name)) : [];
    const reads = [...nodes.flatMap((node) => [...readsOf(node)]), ...given];
    return [...new Set(reads)].filter((name) => !made.has(name) && !weights.has(name));
  });
  const outputsOf = runs.map((run, i) => {
    const later = new Set([...inputsOf.slice(i + 1).flat(), ...wanted]);
    const made = run.flatMap(({ outputs }) => outputs).filter((name) => later.has(name));
    const apart = i < runs.length - 1 ? [] : wanted.filter(isMadeApart);
    return [...new Set([...made, ...apart])];
  });
  const mains = mainNodes(graph);
  const pieceOf = (layer: Layer) => sets.findIndex((set) => set.has(mains.get(layer.node)!));
  const placed = layers(model).map((layer) => [pieceOf(layer), layer] as const);
  return runs.map((_, i) => {
    const own = placed.flatMap(([piece, layer]) => (piece === i ? [layer] : []));
    const [inputs, outputs, nodes] = [inputsOf[i], outputsOf[i], nodesOf[i]];
    return { name: own[0]?.name ?? outputs[0] ?? "", inputs, outputs, nodes, layers: own };
  });
};
