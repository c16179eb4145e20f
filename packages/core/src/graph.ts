import { floatOf, floatsOf, intOf, intsOf, stringOf, stringsOf, subgraphsOf, tensorOf } from "./attrs.ts";
import type { Graph, Model, Node } from "./model.ts";
import { type Tensor, tensor } from "./tensor.ts";

/** What messages and layers call a node: its name, else its first output, else its operator. */
export const labelOf = (node: Node): string => node.name || node.outputs.find((output) => output !== "") || node.opType;

/** Node that makes each value. */
export const producers = (graph: Graph): Map<string, Node> => {
  const map = new Map<string, Node>();
  for (const node of graph.nodes) for (const output of node.outputs) if (output !== "") map.set(output, node);
  return map;
};

export interface Consumer {
  readonly node: Node;
  /** Index in `node.inputs`, or -1 where a subgraph of the node captures the value. */
  readonly index: number;
}

const freeNamesOf = new WeakMap<Graph, ReadonlySet<string>>();

/** Names that a subgraph takes from the graphs around it. */
export const freeNames = (graph: Graph): ReadonlySet<string> => {
  const known = freeNamesOf.get(graph);
  if (known) return known;
  const bound = new Set<string>([
    ...graph.inputs.map((info) => info.name),
    ...graph.weights.keys(),
    ...graph.sparseWeights.map((weight) => weight.name),
    ...graph.nodes.flatMap((node) => node.outputs),
  ]);
  const free = new Set<string>();
  const use = (name: string) => {
    if (name !== "" && !bound.has(name)) free.add(name);
  };
  for (const node of graph.nodes) {
    node.inputs.forEach(use);
    for (const inner of subgraphsOf(node)) freeNames(inner.graph).forEach(use);
  }
  for (const output of graph.outputs) use(output.name);
  freeNamesOf.set(graph, free);
  return free;
};

/** Every name a node reads: its inputs, and what its subgraphs capture. */
export const readsOf = (node: Node): Set<string> => {
  const names = new Set(node.inputs.filter((name) => name !== ""));
  for (const inner of subgraphsOf(node)) for (const name of freeNames(inner.graph)) names.add(name);
  return names;
};

/** Uses of each value, those inside subgraphs among them. */
export const consumers = (graph: Graph): Map<string, Consumer[]> => {
  const map = new Map<string, Consumer[]>();
  const add = (name: string, consumer: Consumer) => {
    const list = map.get(name);
    if (list) list.push(consumer);
    else map.set(name, [consumer]);
  };
  for (const node of graph.nodes) {
    node.inputs.forEach((name, index) => {
      if (name !== "") add(name, { node, index });
    });
    const captured = new Set(subgraphsOf(node).flatMap((inner) => [...freeNames(inner.graph)]));
    for (const name of captured) add(name, { node, index: -1 });
  }
  return map;
};

/** A graph with what is needed to look names up, and the graph around it. */
export interface Scope {
  readonly graph: Graph;
  readonly parent?: Scope;
  readonly producers: ReadonlyMap<string, Node>;
  readonly inputs: ReadonlySet<string>;
  /** From the main graph: label of the node, then the attribute, for each level. */
  readonly path: readonly string[];
}

const scopeOf = (graph: Graph, path: readonly string[], parent?: Scope): Scope => ({
  graph,
  producers: producers(graph),
  inputs: new Set(graph.inputs.map((info) => info.name)),
  path,
  ...(parent && { parent }),
});

/** The scope of a model's main graph. */
export const mainScope = (model: Model): Scope => scopeOf(model.graph, []);

/** The scopes of the subgraphs of a node that stands in `scope`. */
export const innerScopes = (scope: Scope, node: Node): Scope[] =>
  subgraphsOf(node).map(({ attribute, graph }) => scopeOf(graph, [...scope.path, labelOf(node), attribute], scope));

function* walkScopes(scope: Scope): Generator<Scope> {
  yield scope;
  for (const node of scope.graph.nodes) for (const inner of innerScopes(scope, node)) yield* walkScopes(inner);
}

/** The main graph and every subgraph, outer ones first, each as a scope. */
export const walkGraphs = (model: Model): Generator<Scope> => walkScopes(mainScope(model));

/** A constant and where it is kept. */
export interface Constant {
  /** The initializer, or the output of the `Constant` node. */
  readonly name: string;
  readonly tensor: Tensor;
  /** The graph that keeps it. */
  readonly graph: Graph;
  /** The `Constant` node, when no initializer keeps it. */
  readonly node?: Node;
  /** `Identity`, `Transpose` and `Cast` nodes between it and the value asked for, in order of execution. */
  readonly chain: readonly Node[];
}

/** The value of a `Constant` node, whichever attribute holds it; undefined for sparse ones. */
export const constantValue = (node: Node): Tensor | undefined => {
  const { attributes } = node;
  if (attributes.has("value")) return tensorOf(node, "value");
  if (attributes.has("value_float")) return tensor("float32", [], Float32Array.of(floatOf(node, "value_float", 0)));
  if (attributes.has("value_int")) return tensor("int64", [], BigInt64Array.of(BigInt(intOf(node, "value_int", 0))));
  if (attributes.has("value_string")) return tensor("string", [], [stringOf(node, "value_string") ?? ""]);
  const floats = floatsOf(node, "value_floats");
  if (floats) return tensor("float32", [floats.length], Float32Array.from(floats));
  const ints = intsOf(node, "value_ints");
  if (ints) return tensor("int64", [ints.length], BigInt64Array.from(ints.map(BigInt)));
  const strings = stringsOf(node, "value_strings");
  return strings && tensor("string", [strings.length], strings);
};

const PASS_THROUGH: ReadonlySet<string> = new Set(["Identity", "Transpose", "Cast"]);

/** The constant behind a value: an initializer, a `Constant` node, or either through Identity, Transpose and Cast. */
export const constantOf = (scope: Scope, name: string): Constant | undefined => {
  const chain: Node[] = [];
  let at: Scope | undefined = scope;
  let wanted = name;
  while (at) {
    const weight = at.graph.weights.get(wanted);
    if (weight) return { name: wanted, tensor: weight, graph: at.graph, chain: chain.reverse() };
    const node = at.producers.get(wanted);
    if (node === undefined) {
      if (at.inputs.has(wanted)) return undefined;
      at = at.parent;
    } else if (node.domain === "" && node.opType === "Constant") {
      const value = constantValue(node);
      return value && { name: wanted, tensor: value, graph: at.graph, node, chain: chain.reverse() };
    } else if (node.domain === "" && PASS_THROUGH.has(node.opType) && chain.length <= at.graph.nodes.length) {
      chain.push(node);
      wanted = node.inputs[0];
    } else {
      return undefined;
    }
  }
  return undefined;
};

/** Every name in the model: values, weights and nodes of all graphs. */
export const allNames = (model: Model): Set<string> => {
  const names = new Set<string>();
  for (const { graph } of walkGraphs(model)) {
    for (const { name } of [...graph.inputs, ...graph.outputs, ...graph.values]) names.add(name);
    for (const name of graph.weights.keys()) names.add(name);
    for (const { name } of graph.sparseWeights) names.add(name);
    for (const node of graph.nodes) {
      names.add(node.name);
      for (const name of [...node.inputs, ...node.outputs]) names.add(name);
    }
  }
  return names;
};

/** `hint`, or `hint_1`, `hint_2` … : the first that `taken` does not hold. It is added to `taken`. */
export const uniqueName = (hint: string, taken: Set<string>): string => {
  let name = hint;
  for (let n = 1; name === "" || taken.has(name); n++) name = `${hint}_${n}`;
  taken.add(name);
  return name;
};
