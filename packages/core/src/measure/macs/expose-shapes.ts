import { graphAttr, int, ints, intsOf, makeNode, tensorAttr } from "../../attrs.ts";
import { allNames, innerScopes, mainScope, type Scope, uniqueName } from "../../graph.ts";
import type { Attribute, Graph, Model, Node } from "../../model.ts";
import { tensor } from "../../tensor.ts";

/** Most axes a value may have. */
export const MOST_AXES = 8;
/** Stands behind the last axis. */
const NO_AXIS = -1n;
/** Stands for a value whose branch did not run. */
export const NOT_RUN = -2;

/** A node, with the names under which the dims of its values leave the model. */
export interface Exposed {
  readonly node: Node;
  readonly inputs: readonly Dims[];
  readonly outputs: readonly Dims[];
}

/** Dims that are known, or the output that tells them. */
type Dims = string | readonly number[];

interface State {
  readonly taken: Set<string>;
  /** What a value of a subgraph is called in the graph around it. */
  readonly outside: Map<string, string>;
  readonly found: Exposed[];
  /** Values that all graphs see: what is put behind dims, the axes that are kept, and dims of what did not run. */
  readonly filler: string;
  readonly axes: string;
  readonly notRun: string;
}

const vector = (name: string, values: readonly bigint[]): Node =>
  makeNode("Constant", [], [name], { value: tensorAttr(tensor("int64", [values.length], BigInt64Array.from(values))) });

const times = (value: bigint) => new Array<bigint>(MOST_AXES).fill(value);

/** Dims of a weight, which need not be run for. */
const weightDims = (scope: Scope | undefined, name: string): readonly number[] | undefined => {
  for (let at = scope; at; at = at.parent) {
    const weight = at.graph.weights.get(name);
    if (weight && !at.inputs.has(name)) return weight.dims;
    if (at.producers.has(name) || at.inputs.has(name)) return undefined;
  }
  return undefined;
};

/** A graph with further outputs, [MOST_AXES] each: dims of values. */
interface Opened {
  readonly graph: Graph;
  readonly added: readonly string[];
}

const withOutputs = (graph: Graph, names: readonly string[]): Graph => ({
  ...graph,
  outputs: [...graph.outputs, ...names.map((name) => ({ name, type: { kind: "tensor", type: "int64" } as const }))],
});

/** As many outputs as the subgraphs have: trailing ones may be left out. */
const padded = (outputs: readonly string[], count: number, taken: Set<string>) => [
  ...outputs,
  ...Array.from({ length: Math.max(0, count - outputs.length) }, () => uniqueName("unused", taken)),
];

/** Lists with an entry for each scanned output get one for each new one. */
const moreScanned = (node: Node, count: number): [string, Attribute][] =>
  ["scan_output_axes", "scan_output_directions"].flatMap((name): [string, Attribute][] => {
    const list = intsOf(node, name);
    return list ? [[name, ints([...list, ...new Array<number>(count).fill(0)])]] : [];
  });

/**
 * A node whose subgraphs give dims out. Of `If`, the branch that did not run gives fillers; of `Loop` and `Scan`, there
 * is a row for each iteration.
 */
const openInner = (
  scope: Scope,
  node: Node,
  wanted: Wanted,
  state: State,
): { node: Node; added: readonly string[] } => {
  const inner = innerScopes(scope, node);
  if (inner.length === 0 || node.domain !== "" || !/^(If|Loop|Scan)$/.test(node.opType)) return { node, added: [] };
  const opened = inner.map((each) => open(each, wanted, state));
  const names = opened.flatMap(({ added }) => added);
  if (names.length === 0) return { node, added: [] };
  const attributes = new Map(node.attributes);
  let offset = 0;
  inner.forEach(({ path }, i) => {
    const { graph, added } = opened[i];
    const nodes = [...graph.nodes];
    // an output of a branch has to be made in it
    const own = names.map((_, at) => {
      if (at >= offset && at < offset + added.length) return added[at - offset];
      const name = uniqueName("not_run", state.taken);
      nodes.push(makeNode("Identity", [state.notRun], [name]));
      return name;
    });
    offset += added.length;
    attributes.set(path.at(-1)!, graphAttr(withOutputs({ ...graph, nodes }, own)));
  });
  for (const [name, attribute] of node.opType === "Scan" ? moreScanned(node, names.length) : [])
    attributes.set(name, attribute);
  const before = node.opType === "Loop" ? inner[0].graph.outputs.length - 1 : inner[0].graph.outputs.length;
  const added = names.map((name) => uniqueName(name, state.taken));
  for (const [i, name] of names.entries()) state.outside.set(name, added[i]);
  const outputs = [...padded(node.outputs, before, state.taken), ...added];
  return { node: { ...node, outputs, attributes }, added };
};

type Wanted = (node: Node) => boolean;

const open = (scope: Scope, wanted: Wanted, state: State): Opened => {
  const nodes: Node[] = [];
  const added: string[] = [];
  const known = new Map<string, string>();
  const expose = (value: string): string => {
    const before = known.get(value);
    if (before !== undefined) return before;
    const [dims, long, name] = ["dims", "long_dims", "dims_out"].map((hint) => uniqueName(hint, state.taken));
    nodes.push(
      makeNode("Shape", [value], [dims]),
      makeNode("Concat", [dims, state.filler], [long], { axis: int(0) }),
      makeNode("Gather", [long, state.axes], [name], { axis: int(0) }),
    );
    known.set(value, name);
    added.push(name);
    return name;
  };
  for (const node of scope.graph.nodes) {
    const inside = openInner(scope, node, wanted, state);
    nodes.push(inside.node);
    added.push(...inside.added);
    if (!wanted(node)) continue;
    const given = node.inputs.map((name) => (name === "" ? [] : (weightDims(scope, name) ?? expose(name))));
    state.found.push({ node, inputs: given, outputs: node.outputs.map((name) => (name === "" ? [] : expose(name))) });
  }
  return { graph: { ...scope.graph, nodes }, added };
};

/**
 * A model whose outputs are the dims of what the wanted nodes take and give, in every graph: int64, [8] each, filled up
 * with -1; a row for each iteration of a loop, and -2 throughout for what did not run. Weights' dims are told at once.
 */
export const exposeShapes = (model: Model, wanted: Wanted): { model: Model; exposed: readonly Exposed[] } => {
  const taken = allNames(model);
  const [filler, axes, notRun] = ["filler", "axes", "not_run"].map((hint) => uniqueName(hint, taken));
  const state: State = { taken, outside: new Map(), found: [], filler, axes, notRun };
  const { graph, added } = open(mainScope(model), wanted, state);
  const constants = [
    vector(filler, times(NO_AXIS)),
    vector(
      axes,
      times(0n).map((_, i) => BigInt(i)),
    ),
    vector(notRun, times(BigInt(NOT_RUN))),
  ];
  const nodes = [...constants, ...graph.nodes];
  const outermost = (dims: Dims): Dims => {
    let name = dims;
    while (typeof name === "string" && state.outside.has(name)) name = state.outside.get(name)!;
    return name;
  };
  return {
    model: { ...model, graph: withOutputs({ ...graph, nodes, outputs: [] }, added) },
    exposed: state.found.map(({ node, inputs, outputs }) => ({
      node,
      inputs: inputs.map(outermost),
      outputs: outputs.map(outermost),
    })),
  };
};
