import { subgraphsOf } from "../attrs.ts";
import { allNames, constantValue, readsOf, type Scope, uniqueName, walkGraphs } from "../graph.ts";
import type { Attribute, Graph, Model, Node } from "../model.ts";
import { storedBytes } from "../tensor.ts";
import { valueTypes } from "../upgrade/value-types.ts";
import { absorbAffine } from "./absorb.ts";
import { absorbAhead } from "./absorb-ahead.ts";
import type { FoldGraph } from "./fold-graph.ts";
import { hardSigmoids } from "./hard-sigmoid.ts";
import { equalWeights } from "./merge-weights.ts";
import { mergeProducts } from "./products.ts";
import { renameReads, simplify } from "./simplify.ts";

export interface FoldOptions {
  /** Weights that are equal bit for bit are stored once. Default false. */
  readonly mergeDuplicates?: boolean;
}

/** The first IR version whose weights need not be inputs of the graph. */
const WEIGHTS_APART = 4;

interface State {
  readonly model: Model;
  readonly options: Required<FoldOptions>;
  readonly moves: boolean;
  readonly names: Set<string>;
  readonly scopes: Map<Graph, Scope>;
  readonly types: ReturnType<typeof valueTypes>;
}

const openFold = (source: Graph, outer: FoldGraph | undefined, { model, names }: State): FoldGraph => {
  const weights = new Map(source.weights);
  // From IR 4 on, an initializer that is an input is only its default.
  const inputs = new Set(source.inputs.map((info) => info.name));
  const replaceable = new Set(model.irVersion >= WEIGHTS_APART ? inputs : []);
  const local = new Set([...inputs, ...source.nodes.flatMap((node) => node.outputs)]);
  return {
    source,
    outer,
    made: new Map(),
    nodes: [...source.nodes],
    weights,
    outputs: new Set(source.outputs.map((info) => info.name)),
    constant: (name) => {
      if (replaceable.has(name)) return undefined;
      return weights.get(name) ?? (local.has(name) ? undefined : outer?.constant(name));
    },
    fresh: (hint) => uniqueName(hint, names),
  };
};

const foldSubgraphs = async (node: Node, outer: FoldGraph, state: State): Promise<Node> => {
  const attributes = new Map<string, Attribute>();
  let changed = false;
  const fold = async (graph: Graph) => {
    const next = await foldGraph(graph, outer, state);
    changed ||= next !== graph;
    return next;
  };
  for (const [name, a] of node.attributes) {
    if (a.kind === "graph") attributes.set(name, { ...a, value: await fold(a.value) });
    else if (a.kind === "graphs") {
      const graphs: Graph[] = [];
      for (const graph of a.value) graphs.push(await fold(graph));
      attributes.set(name, { ...a, value: graphs });
    } else attributes.set(name, a);
  }
  return changed ? { ...node, attributes } : node;
};

/** Removes nodes and weights that nothing reads, and what was said about values that are gone. */
const sweep = (graph: FoldGraph): Graph => {
  const read = new Set(graph.outputs);
  const kept: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((output) => read.has(output))) continue;
    kept.push(node);
    for (const name of readsOf(node)) read.add(name);
  }
  const { source } = graph;
  const weights = new Map([...graph.weights].filter(([name]) => read.has(name)));
  const made = new Set(kept.flatMap((node) => node.outputs));
  const swept = (name: string) => source.weights.has(name) && !weights.has(name);
  return {
    ...source,
    nodes: kept.reverse(),
    weights,
    inputs: source.inputs.filter((info) => !swept(info.name)),
    values: source.values.filter((info) => made.has(info.name)),
    sparseWeights: source.sparseWeights.filter((weight) => read.has(weight.name)),
  };
};

const isSame = (a: Graph, b: Graph) =>
  a.nodes.length === b.nodes.length &&
  a.nodes.every((node, i) => node === b.nodes[i]) &&
  a.weights.size === b.weights.size &&
  [...a.weights].every(([name, weight]) => b.weights.get(name) === weight);

async function foldGraph(source: Graph, outer: FoldGraph | undefined, state: State): Promise<Graph> {
  const scope = state.scopes.get(source);
  const graph = openFold(source, outer, state);
  const moved = (from: Graph, to: Graph) => {
    const known = state.scopes.get(from);
    if (known) state.scopes.set(to, known);
  };
  await simplify(graph, {
    opset: state.model.opsets.get("") ?? 0,
    moves: state.moves,
    typeOf: (value) => scope && state.types.elementType(scope, value),
    moved,
  });
  const nodes: Node[] = [];
  for (const node of graph.nodes) nodes.push(await foldSubgraphs(node, graph, state));
  graph.nodes = nodes;
  const rankOf = (value: string) => scope && state.types.rank(scope, value);
  await absorbAffine(graph, rankOf);
  await hardSigmoids(graph, rankOf);
  await mergeProducts(graph);
  await absorbAhead(graph);
  if (state.options.mergeDuplicates) {
    const kept = new Set([...graph.outputs, ...source.inputs.map((info) => info.name)]);
    const names = await equalWeights(graph, kept);
    graph.nodes = graph.nodes.map((node) => renameReads(node, names, moved));
  }
  const folded = sweep(graph);
  return isSame(source, folded) ? source : folded;
}

/** Small constants that folding adds; anything beyond is a weight stored twice. */
const GROWTH_BYTES = 1 << 16;

/** Bytes of weights and of the values of `Constant` nodes, subgraphs included. */
const constantBytes = (graph: Graph): number => {
  let bytes = 0;
  for (const weight of graph.weights.values()) bytes += storedBytes(weight);
  for (const node of graph.nodes) {
    const value = node.domain === "" && node.opType === "Constant" ? constantValue(node) : undefined;
    bytes += value ? storedBytes(value) : 0;
    for (const inner of subgraphsOf(node)) bytes += constantBytes(inner.graph);
  }
  return bytes;
};

/**
 * The same computation with everything done beforehand that does not depend on the input: `Constant` nodes become
 * initializers under their names; Identity, Dropout in inference and Cast to the type that is there go; arithmetic
 * on small constants (shapes, scalars) is computed; weights are cut and joined along their first axis;
 * BatchNormalization, and sums and products with constants for each channel, go into the Conv, ConvTranspose, Gemm or
 * MatMul before them, or into the Conv behind them; clipped sums become HardSigmoid. Names of inputs and outputs stay.
 *
 * Arithmetic is in float64 and rounded once: outputs change by less than 1e-5 of their largest value. Functions of
 * the model are left alone. The same model when there is nothing to fold.
 */
export const fold = async (model: Model, { mergeDuplicates = false }: FoldOptions = {}): Promise<Model> => {
  const folded = (moves: boolean) =>
    foldGraph(model.graph, undefined, {
      model,
      options: { mergeDuplicates },
      moves,
      names: allNames(model),
      scopes: new Map([...walkGraphs(model)].map((scope) => [scope.graph, scope])),
      types: valueTypes(),
    });
  const moved = await folded(true);
  // a weight that is cut up and also read whole would be stored twice
  const graph = constantBytes(moved) > constantBytes(model.graph) + GROWTH_BYTES ? await folded(false) : moved;
  if (graph === model.graph) return model;
  return { ...model, graph, irVersion: Math.max(model.irVersion, WEIGHTS_APART) };
};
