import { intOf, mapSubgraphs } from "../attrs.ts";
import { constantValue, readsOf } from "../graph.ts";
import type { Graph, Node } from "../model.ts";
import { type DataType, dataTypeOfCode, isLazy, readData, sizeOf, type Tensor } from "../tensor.ts";
import { evaluate, isComputed, MAX_ELEMENTS } from "./evaluate.ts";
import type { FoldGraph } from "./fold-graph.ts";

const renameGraph = (
  graph: Graph,
  names: ReadonlyMap<string, string>,
  moved: (from: Graph, to: Graph) => void,
): Graph => {
  const next: Graph = {
    ...graph,
    nodes: graph.nodes.map((node) => renameReads(node, names, moved)),
    outputs: graph.outputs.map((info) => ({ ...info, name: names.get(info.name) ?? info.name })),
  };
  moved(graph, next);
  return next;
};

/** The node with other names for what it reads, in its subgraphs too. */
export const renameReads = (
  node: Node,
  names: ReadonlyMap<string, string>,
  moved: (from: Graph, to: Graph) => void,
): Node => {
  if (names.size === 0 || ![...readsOf(node)].some((name) => names.has(name))) return node;
  const next = mapSubgraphs(node, (graph) => renameGraph(graph, names, moved));
  return { ...next, inputs: node.inputs.map((name) => names.get(name) ?? name) };
};

/** The oldest opset whose Dropout only drops when it is told to train. */
const INFERENCE_DROPOUT = 7;

export interface SimplifyOptions {
  readonly opset: number;
  /** Large weights are cut and joined along their first axis. */
  readonly moves: boolean;
  typeOf(value: string): DataType | undefined;
  moved(from: Graph, to: Graph): void;
}

/** True when the first output is the first input. */
const passesOn = async (node: Node, graph: FoldGraph, read: ReadonlySet<string>, options: SimplifyOptions) => {
  if ((node.inputs[0] ?? "") === "" || node.outputs.length === 0) return false;
  if (node.opType === "Identity") return true;
  if (node.opType === "Cast") {
    const to = dataTypeOfCode(intOf(node, "to", 0));
    return to !== undefined && options.typeOf(node.inputs[0]) === to;
  }
  if (node.opType !== "Dropout" || options.opset < INFERENCE_DROPOUT) return false;
  const [, mask = ""] = node.outputs;
  if (mask !== "" && read.has(mask)) return false;
  const training = node.inputs[2] ?? "";
  if (training === "") return true;
  const flag = graph.constant(training);
  return flag?.type === "bool" && ((await readData(flag)) as Uint8Array)[0] === 0;
};

/** Small constants are read, so that they can be computed with at once. */
const inMemory = async (t: Tensor | undefined): Promise<Tensor | undefined> =>
  t && isLazy(t) && sizeOf(t.dims) <= MAX_ELEMENTS ? { type: t.type, dims: t.dims, data: await readData(t) } : t;

const makes = (graph: FoldGraph, value: string) => graph.nodes.some((node) => node.outputs.includes(value));

/** The graph, of this one and those around it, that keeps a constant. */
const keeperOf = (graph: FoldGraph, name: string): FoldGraph =>
  graph.weights.has(name) || !graph.outer ? graph : keeperOf(graph.outer, name);

const depthOf = (graph: FoldGraph): number => (graph.outer ? 1 + depthOf(graph.outer) : 0);

/** What makes a value, in words that are the same wherever it is made: small inputs by value, large ones by name. */
const recipeOf = ({ opType, inputs, attributes }: Node, values: readonly (Tensor | undefined)[]): string => {
  const input = (name: string, value: Tensor | undefined) =>
    value && sizeOf(value.dims) <= MAX_ELEMENTS ? `[${value.data.join()}]` : name;
  const attribute = [...attributes].map(([name, { value }]) => `${name}=${String(value)}`);
  return [opType, ...inputs.map((name, i) => input(name, values[i])), ...attribute.sort()].join(" ");
};

/**
 * Keeps a large weight in the innermost graph that one of its parts comes from, once for all branches that make it, and
 * returns its name.
 */
const putLarge = (graph: FoldGraph, node: Node, inputs: readonly (Tensor | undefined)[], value: Tensor): string => {
  const keepers = node.inputs
    .filter((name) => name !== "" && !isSmall(graph, name))
    .map((name) => keeperOf(graph, name));
  const keeper = keepers.reduce((inner, other) => (depthOf(other) > depthOf(inner) ? other : inner));
  const [output] = node.outputs;
  const recipe = recipeOf(node, inputs);
  const name = keeper.made.get(recipe) ?? (keeper === graph ? output : keeper.fresh(output));
  keeper.made.set(recipe, name);
  keeper.weights.set(name, value);
  return name;
};

const isSmall = (graph: FoldGraph, name: string) => sizeOf(graph.constant(name)?.dims ?? []) <= MAX_ELEMENTS;

/**
 * Weights in `Constant` nodes become initializers; Identity, Dropout in inference and Cast to the type that is
 * there go; small arithmetic on constants is computed. Graph outputs keep their names.
 */
export const simplify = async (graph: FoldGraph, options: SimplifyOptions): Promise<void> => {
  const names = new Map<string, string>();
  const kept: Node[] = [];
  const read = new Set([...graph.outputs, ...graph.nodes.flatMap((node) => [...readsOf(node)])]);
  for (const original of graph.nodes) {
    const node = renameReads(original, names, options.moved);
    const [output] = node.outputs;
    const standard = node.domain === "";
    const isOutput = graph.outputs.has(output);
    if (standard && !isOutput && node.opType === "Constant") {
      const value = constantValue(node);
      if (value) graph.weights.set(output, value);
      else kept.push(node);
    } else if (standard && !isOutput && (await passesOn(node, graph, read, options))) {
      names.set(output, node.inputs[0]);
    } else if (standard && !isOutput && isComputed(node)) {
      const inputs: (Tensor | undefined)[] = [];
      for (const name of node.inputs) inputs.push(await inMemory(name === "" ? undefined : graph.constant(name)));
      const known = node.inputs.every((name, i) => name === "" || inputs[i] !== undefined);
      const value = known ? evaluate(node, inputs, options) : undefined;
      if (!value) kept.push(node);
      else if (sizeOf(value.dims) > MAX_ELEMENTS) {
        const name = putLarge(graph, node, inputs, value);
        if (name !== output) names.set(output, name);
      } else graph.weights.set(output, value);
    } else kept.push(node);
  }
  graph.nodes = kept;
  await passOutputsOn(graph, read, options);
};

/** A node that passes its input on to a graph output goes when the input can take the output's name. */
const passOutputsOn = async (graph: FoldGraph, read: ReadonlySet<string>, options: SimplifyOptions): Promise<void> => {
  for (const node of graph.nodes) {
    const [output] = node.outputs;
    const [input] = node.inputs;
    if (node.domain !== "" || !graph.outputs.has(output) || graph.outputs.has(input)) continue;
    if (!(await passesOn(node, graph, read, options)) || !makes(graph, input)) continue;
    const names = new Map([[input, output]]);
    graph.nodes = graph.nodes
      .filter((other) => other !== node)
      .map((other) => {
        const renamed = renameReads(other, names, options.moved);
        if (!renamed.outputs.includes(input)) return renamed;
        return { ...renamed, outputs: renamed.outputs.map((name) => names.get(name) ?? name) };
      });
    return passOutputsOn(graph, read, options);
  }
};
