import { intOf, makeNode, mapSubgraphs, tensorAttr } from "../attrs.ts";
import { EspalierError } from "../errors.ts";
import {
  allNames,
  constantOf,
  constantValue,
  freeNames,
  labelOf,
  type Scope,
  uniqueName,
  walkGraphs,
} from "../graph.ts";
import type { Graph, Model, ModelFunction, Node } from "../model.ts";
import { type DataType, dataTypeOfCode, type Tensor } from "../tensor.ts";
import type { RewriteContext } from "./rewrite.ts";
import { NEWEST_OPSET, SCHEMA_CHANGES } from "./table.ts";
import { valueTypes } from "./value-types.ts";

const WHERE = "core/upgrade";
/** The oldest opset whose operators broadcast as today's do. */
const OLDEST_OPSET = 7;

/** From which opset on which IR version. Source: `onnx.helper.VERSION_TABLE` of onnx 1.20. */
const IR_VERSIONS: readonly (readonly [opset: number, irVersion: number])[] = [
  [25, 13],
  [24, 12],
  [23, 11],
  [21, 10],
  [19, 9],
  [15, 8],
  [12, 7],
  [11, 6],
  [10, 5],
  // IR 4 is the first whose weights need not be inputs.
  [OLDEST_OPSET, 4],
];

const isStandard = (domain: string) => domain === "" || domain === "ai.onnx";
const standardOpset = (opsets: ReadonlyMap<string, number>) => opsets.get("") ?? opsets.get("ai.onnx");
const withOpset = (opsets: ReadonlyMap<string, number>, target: number) =>
  new Map([...opsets].map(([domain, version]) => [domain, isStandard(domain) ? target : version]));

/** The one floating-point type that a model speaks of, if it is only one. */
const onlyFloatType = (model: Model): DataType | undefined => {
  const found = new Set<DataType>();
  const add = (type: DataType | undefined) => {
    if (type === "float32" || type === "float64" || type === "float16" || type === "bfloat16") found.add(type);
  };
  for (const { graph } of walkGraphs(model)) {
    for (const weight of graph.weights.values()) add(weight.type);
    for (const { type } of [...graph.inputs, ...graph.outputs, ...graph.values]) {
      if (type?.kind === "tensor") add(type.type);
    }
    for (const node of graph.nodes) {
      if (node.opType === "Constant") add(constantValue(node)?.type);
      else if (node.opType === "Cast") add(dataTypeOfCode(intOf(node, "to", 0)));
    }
  }
  return found.size === 1 ? [...found][0] : undefined;
};

interface State {
  readonly model: Model;
  readonly target: number;
  readonly names: Set<string>;
  readonly calls: ReadonlySet<string>;
  readonly scopes: ReadonlyMap<Graph, Scope>;
  readonly types: ReturnType<typeof valueTypes>;
  readonly floatType: DataType | undefined;
  readonly problems: string[];
}

const readable = (value: Tensor): Tensor | undefined => {
  try {
    return value.data === undefined ? undefined : value;
  } catch {
    return undefined;
  }
};

const contextOf = (scope: Scope, state: State, constant: RewriteContext["constant"]): RewriteContext => {
  const read = new Set<string>(scope.graph.outputs.map((output) => output.name));
  for (const node of scope.graph.nodes) {
    for (const name of node.inputs) read.add(name);
    for (const a of node.attributes.values()) {
      if (a.kind === "graph") for (const name of freeNames(a.value)) read.add(name);
    }
  }
  return {
    constant,
    fresh: (hint) => uniqueName(hint, state.names),
    typeOf: (value) => state.types.elementType(scope, value) ?? state.floatType,
    rankOf: (value) => state.types.rank(scope, value),
    constantOf: (value) => {
      const found = constantOf(scope, value);
      return found && found.chain.length === 0 ? readable(found.tensor) : undefined;
    },
    isRead: (value) => read.has(value),
  };
};

/** The node in the form of the target, or a line about it in `state.problems`. */
const upgradeNode = (node: Node, from: number, context: RewriteContext, state: State): readonly Node[] => {
  if (!isStandard(node.domain) || state.calls.has(`${node.domain}:${node.opType}`)) return [node];
  const refuse = (reason: string) => {
    state.problems.push(`${node.opType} "${labelOf(node)}": ${reason}`);
    return [node];
  };
  const changes = Object.hasOwn(SCHEMA_CHANGES, node.opType) ? SCHEMA_CHANGES[node.opType] : undefined;
  if (changes === undefined) return refuse("not an operator of the standard domain that is known here");
  if (changes[0] > from) return refuse(`opset ${from} does not have it`);
  for (const change of changes) {
    if (typeof change === "number") continue;
    const [version, rewrite] = change;
    if (version <= from || version > state.target) continue;
    if ([...node.attributes.values()].some((a) => a.kind === "ref")) return refuse("takes attributes from its caller");
    if ((node.inputs[0] ?? "") === "" || node.outputs.length === 0) return refuse("has no input or no output");
    const nodes = rewrite(node, context);
    if (typeof nodes === "string") return refuse(nodes);
    return nodes.flatMap((next) => upgradeNode(next, version, context, state));
  }
  return [node];
};

const upgradeGraph = (graph: Graph, from: number, state: State): Graph => {
  const scope = state.scopes.get(graph);
  if (scope === undefined) return graph;
  const weights = new Map(graph.weights);
  const context = contextOf(scope, state, (hint, value) => {
    const name = uniqueName(hint, state.names);
    weights.set(name, value);
    return name;
  });
  const inner = (subgraph: Graph) => upgradeGraph(subgraph, from, state);
  const nodes = graph.nodes.flatMap((node) =>
    upgradeNode(node, from, context, state).map((next) => mapSubgraphs(next, inner)),
  );
  const same = nodes.length === graph.nodes.length && nodes.every((node, i) => node === graph.nodes[i]);
  return same ? graph : { ...graph, nodes, weights };
};

/** A function has no weights: its new constants are `Constant` nodes. */
const upgradeFunction = (fn: ModelFunction, state: State): ModelFunction => {
  const from = standardOpset(fn.opsets);
  if (from === undefined || from >= state.target) return fn;
  const named = (name: string) => ({ name });
  const graph: Graph = {
    name: fn.name,
    nodes: fn.nodes,
    inputs: fn.inputs.map(named),
    outputs: fn.outputs.map(named),
    values: [],
    weights: new Map(),
    sparseWeights: [],
  };
  for (const name of fn.nodes.flatMap((node) => [...node.inputs, ...node.outputs])) state.names.add(name);
  const body: Model = { ...state.model, graph, functions: [] };
  const scopes = new Map([...walkGraphs(body)].map((scope) => [scope.graph, scope]));
  const upgraded = upgradeGraph(graph, from, { ...state, scopes });
  const constants = [...upgraded.weights].map(([name, value]) =>
    makeNode("Constant", [], [name], { value: tensorAttr(value) }),
  );
  return { ...fn, nodes: [...constants, ...upgraded.nodes], opsets: withOpset(fn.opsets, state.target) };
};

const badTarget = (target: number) =>
  new EspalierError(
    "BAD_OPTION",
    WHERE,
    `opset ${target} is not one of ${OLDEST_OPSET} to ${NEWEST_OPSET}. Choose one of these as the target.`,
  );

/**
 * The same model in a newer version of the standard operators: operators whose form or meaning changed on the way
 * are rewritten, in the graph, its subgraphs and the model's functions. Other domains pass through; the IR version
 * is raised as the opset asks. The same model when it is at `target` or above: it never goes down.
 *
 * @throws EspalierError `UNSUPPORTED` with every node that has no form in the target, `BAD_OPTION` for a target
 * that is not known here.
 */
export const upgradeOpset = (model: Model, target: number): Model => {
  if (!Number.isInteger(target) || target < OLDEST_OPSET || target > NEWEST_OPSET) throw badTarget(target);
  const from = standardOpset(model.opsets);
  if (from === undefined || from >= target) return model;
  if (from < OLDEST_OPSET) {
    throw new EspalierError(
      "UNSUPPORTED",
      WHERE,
      `the model uses opset ${from}; its operators broadcast by attributes before ${OLDEST_OPSET}. Export it again with opset ${OLDEST_OPSET} or later.`,
    );
  }
  const state: State = {
    model,
    target,
    names: allNames(model),
    calls: new Set(model.functions.map((fn) => `${fn.domain}:${fn.name}`)),
    scopes: new Map([...walkGraphs(model)].map((scope) => [scope.graph, scope])),
    types: valueTypes(),
    floatType: onlyFloatType(model),
    problems: [],
  };
  const graph = upgradeGraph(model.graph, from, state);
  const functions = model.functions.map((fn) => upgradeFunction(fn, state));
  if (state.problems.length > 0) {
    throw new EspalierError(
      "UNSUPPORTED",
      WHERE,
      `opset ${from} to ${target}: ${state.problems.length} node(s) have no form there: ${state.problems.join("; ")}. Stay at opset ${from}, or export the model again.`,
    );
  }
  const irVersion = Math.max(model.irVersion, IR_VERSIONS.find(([opset]) => opset <= target)?.[1] ?? 0);
  return { ...model, graph, functions, opsets: withOpset(model.opsets, target), irVersion };
};
