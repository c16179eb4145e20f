import { subgraphsOf } from "../attrs.ts";
import { constantValue, freeNames, labelOf } from "../graph.ts";
import type { WeightPlace } from "../layers/replace-weights.ts";
import type { Dim, Graph, Model, Node, ValueInfo } from "../model.ts";
import { floatValues, isFloatType } from "../numeric/floats.ts";
import { readData, sizeOf, type Tensor } from "../tensor.ts";
import { type Axis, plain, type Value } from "./axis.ts";
import { ruleOf } from "./rules/table.ts";
import { createTerms, type Stop } from "./terms.ts";
import { freshAxis, pinValue, type Trace } from "./trace.ts";

export interface GroupOptions {
  /** Dims of inner values, where a run told them: they help past operators that no rule follows. */
  readonly shapes?: ReadonlyMap<string, readonly Dim[]>;
}

interface TracedWeight {
  readonly place: WeightPlace;
  readonly tensor: Tensor;
  readonly axes: readonly Axis[];
}

export type { Use } from "./trace.ts";

export interface Followed extends Trace {
  readonly model: Model;
  readonly weights: readonly TracedWeight[];
}

/** Numbers of a constant that are looked at: lengths, axes, bounds. */
const SMALL = 64;

const INTEGERS: ReadonlySet<string> = new Set(["int64", "int32"]);

/** Constants of the main graph by name, `Constant` nodes too. */
const constantsOf = (graph: Graph): Map<string, Tensor> => {
  const found = new Map(graph.weights);
  for (const node of graph.nodes) {
    const value = node.domain === "" && node.opType === "Constant" ? constantValue(node) : undefined;
    if (value) found.set(node.outputs[0], value);
  }
  return found;
};

const constantOf = async (trace: Trace, name: string, t: Tensor): Promise<Value> => {
  const small = t.dims.length < 2 && sizeOf(t.dims) <= SMALL;
  if (INTEGERS.has(t.type) || t.type === "string" || t.type === "bool") {
    const numbers =
      small && INTEGERS.has(t.type) ? Array.from((await readData(t)) as BigInt64Array, Number) : undefined;
    return {
      axes: t.dims.map(plain),
      weight: name,
      ...(numbers && { elements: numbers.map((number) => ({ number, from: [] })) }),
    };
  }
  const floats = small && isFloatType(t.type) ? Array.from(await floatValues(t)) : undefined;
  const axes = t.dims.map((dim) => (isFloatType(t.type) ? freshAxis(trace, dim, true) : plain(dim)));
  return { axes, weight: name, ...(floats && { floats }) };
};

const axesOfShape = (trace: Trace, shape: readonly Dim[]): Axis[] =>
  shape.map((dim) => plain(typeof dim === "number" ? dim : dim ? `name ${dim}` : trace.symbol()));

const shapeOf = ({ type }: ValueInfo): readonly Dim[] | undefined => (type?.kind === "tensor" ? type.shape : undefined);

/** Names that the subgraphs of a node take from around it. */
const capturedBy = (node: Node): Set<string> =>
  new Set(subgraphsOf(node).flatMap(({ graph }) => [...freeNames(graph)]));

/** Follows the axes of every value of the main graph from what makes them to what takes them in. */
export const follow = async (model: Model, { shapes = new Map() }: GroupOptions = {}): Promise<Followed> => {
  const { graph } = model;
  let symbols = 0;
  const trace: Trace = {
    terms: createTerms(),
    opset: model.opsets.get("") ?? 1,
    values: new Map(),
    fixes: new Map(),
    work: [],
    uses: [],
    kinds: [],
    unmasked: new Set(),
    symbol: () => `length ${++symbols}`,
  };
  const weights: TracedWeight[] = [];
  const given = new Set(graph.inputs.map(({ name }) => name));
  for (const [name, tensor] of constantsOf(graph)) {
    const value = await constantOf(trace, name, tensor);
    trace.values.set(name, value);
    if (given.has(name)) pinValue(trace, value, { node: name, reason: "the weight is an input of the model too" });
    weights.push({ place: { name, owner: graph }, tensor, axes: value.axes! });
  }
  for (const info of graph.inputs) {
    const shape = shapeOf(info);
    if (!trace.values.has(info.name)) trace.values.set(info.name, shape ? { axes: axesOfShape(trace, shape) } : {});
  }
  const told = new Map(graph.values.flatMap((info) => (shapeOf(info) ? [[info.name, shapeOf(info)!] as const] : [])));
  for (const node of graph.nodes) {
    if (node.domain === "" && node.opType === "Constant" && trace.values.has(node.outputs[0])) continue;
    visit(trace, node, (name) => shapes.get(name) ?? told.get(name));
  }
  for (const { name } of graph.outputs) {
    const maker = graph.nodes.find((node) => node.outputs.includes(name));
    pinValue(trace, trace.values.get(name), {
      node: maker ? labelOf(maker) : name,
      reason: `it reaches the model's output "${name}"`,
    });
  }
  return { ...trace, model, weights };
};

const visit = (trace: Trace, node: Node, shapeFor: (name: string) => readonly Dim[] | undefined) => {
  const captured = capturedBy(node);
  const rule = captured.size === 0 && !node.attributes.has("body") ? ruleOf(node) : undefined;
  const made = rule?.(trace, node);
  if (!made) {
    const stop: Stop = {
      node: labelOf(node),
      reason: `${node.opType} is not followed: nothing that it takes can be cut`,
    };
    for (const name of [...node.inputs, ...captured]) pinValue(trace, trace.values.get(name), stop);
  }
  for (const [i, name] of node.outputs.entries()) {
    if (name === "") continue;
    const value = made?.[i] ?? {};
    const shape = value.axes ? undefined : shapeFor(name);
    trace.values.set(name, withoutWeight(node, shape ? { axes: axesOfShape(trace, shape) } : value));
  }
};

const WEIGHT_STAYS: ReadonlySet<string> = new Set(["Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Cast"]);

const withoutWeight = (node: Node, value: Value): Value => {
  if (value.weight === undefined || WEIGHT_STAYS.has(node.opType)) return value;
  const { weight, ...rest } = value;
  void weight;
  return rest;
};
