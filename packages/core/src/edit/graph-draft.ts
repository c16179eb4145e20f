import { mapSubgraphs, subgraphsOf } from "../attrs.ts";
import { EspalierError } from "../errors.ts";
import { freeNames, labelOf, readsOf, uniqueName } from "../graph.ts";
import type { Graph, Node, ValueInfo } from "../model.ts";
import type { Tensor } from "../tensor.ts";
import { sortNodes } from "./sort.ts";

/** A graph that is being changed. Nodes are still immutable: a change puts a new node in the old one's place. */
export interface GraphDraft {
  /** Labels and attributes from the main graph to this one. */
  readonly path: readonly string[];
  /** The nodes as they are now. */
  nodes(): Node[];
  weights(): ReadonlyMap<string, Tensor>;
  /** The node that stands now where `node` stood, or undefined when it was removed. */
  latest(node: Node): Node | undefined;
  /** Nodes go anywhere; the order is restored at the end. */
  add(...nodes: Node[]): void;
  replace(node: Node, ...nodes: Node[]): void;
  remove(...nodes: Node[]): void;
  /** Everything that reads `from`, subgraphs and graph outputs aside, reads `to`. Nodes added later are not touched. */
  rewire(from: string, to: string): void;
  /** Gives a value another name wherever it stands, graph inputs and outputs included. */
  rename(from: string, to: string): void;
  /** A weight under `hint`, or a name made from it. */
  addWeight(hint: string, weight: Tensor): string;
  setWeight(name: string, weight: Tensor): void;
  removeWeight(name: string): void;
  /** A name that nothing in the model has. */
  uniqueName(hint: string): string;
  inputs: readonly ValueInfo[];
  outputs: readonly ValueInfo[];
  /** Types of inner values; those of values that new nodes make are dropped at the end unless set here. */
  values: readonly ValueInfo[];
}

/** What all drafts of a model share. */
export interface DraftState {
  readonly taken: () => Set<string>;
  readonly drafts: Map<Graph, OpenGraph>;
}

export interface OpenGraph extends GraphDraft {
  /** The graph with its changes, or the same object where there are none. `outer` holds names of the graphs around. */
  close(outer: ReadonlySet<string>): Graph;
}

const renameInfo = (infos: readonly ValueInfo[], from: string, to: string) =>
  infos.some((info) => info.name === from)
    ? infos.map((info) => (info.name === from ? { ...info, name: to } : info))
    : infos;

const swap = (names: readonly string[], from: string, to: string) => names.map((name) => (name === from ? to : name));

/** Opens one graph for changes. */
export const openGraph = (graph: Graph, path: readonly string[], state: DraftState): OpenGraph => {
  let changed = false;
  const slots: Node[][] = graph.nodes.map((node) => [node]);
  const slotOf = new Map(graph.nodes.map((node, slot) => [node, slot]));
  const next = new Map<Node, Node | undefined>();
  const readers = new Map<string, Set<Node>>();
  const weights = new Map(graph.weights);
  const original = new Set(graph.nodes);
  const typed = new Set<ValueInfo>();

  const track = (node: Node) => {
    for (const name of readsOf(node)) {
      const set = readers.get(name);
      if (set) set.add(node);
      else readers.set(name, new Set([node]));
    }
  };
  const untrack = (node: Node) => {
    for (const name of readsOf(node)) readers.get(name)?.delete(node);
  };
  graph.nodes.forEach(track);

  const latest = (node: Node): Node | undefined => {
    let at: Node | undefined = node;
    while (at && next.has(at)) at = next.get(at);
    return at && slotOf.has(at) ? at : undefined;
  };
  const find = (node: Node): Node => {
    const found = latest(node);
    if (!found) {
      throw new EspalierError(
        "NOT_FOUND",
        "core/edit",
        `node "${labelOf(node)}" is not in the graph (any more). Take nodes from draft.nodes().`,
      );
    }
    return found;
  };
  const replace = (node: Node, ...nodes: Node[]) => {
    const old = find(node);
    const slot = slotOf.get(old)!;
    changed = true;
    untrack(old);
    slotOf.delete(old);
    slots[slot].splice(slots[slot].indexOf(old), 1, ...nodes);
    for (const made of nodes) {
      slotOf.set(made, slot);
      next.delete(made);
      track(made);
    }
    if (!nodes.includes(old)) next.set(old, nodes.length === 1 ? nodes[0] : undefined);
  };
  const inner = (node: Node) => subgraphsOf(node).map(({ graph: g }) => g);
  const rewire = (from: string, to: string) => {
    for (const node of [...(readers.get(from) ?? [])]) {
      for (const g of inner(node)) if (freeNames(g).has(from)) state.drafts.get(g)?.rewire(from, to);
      if (node.inputs.includes(from)) replace(node, { ...node, inputs: swap(node.inputs, from, to) });
      // captures: the subgraph's draft changed, so this node will be rebuilt when the drafts close
      changed = true;
    }
  };

  const self: OpenGraph = {
    path,
    inputs: graph.inputs,
    outputs: graph.outputs,
    values: graph.values,
    nodes: () => slots.flat(),
    weights: () => weights,
    latest,
    add(...nodes) {
      changed = true;
      for (const node of nodes) {
        slotOf.set(node, slots.push([node]) - 1);
        track(node);
      }
    },
    replace,
    remove: (...nodes) => {
      for (const node of nodes) replace(node);
    },
    rewire,
    rename(from, to) {
      changed = true;
      rewire(from, to);
      for (const node of slots.flat()) {
        if (node.outputs.includes(from)) replace(node, { ...node, outputs: swap(node.outputs, from, to) });
      }
      const weight = weights.get(from);
      if (weight) {
        weights.delete(from);
        weights.set(to, weight);
      }
      self.inputs = renameInfo(self.inputs, from, to);
      self.outputs = renameInfo(self.outputs, from, to);
      self.values = renameInfo(self.values, from, to);
      for (const info of self.values) if (info.name === to) typed.add(info);
    },
    addWeight(hint, weight) {
      changed = true;
      const name = uniqueName(hint, state.taken());
      weights.set(name, weight);
      return name;
    },
    setWeight(name, weight) {
      changed = true;
      weights.set(name, weight);
    },
    removeWeight(name) {
      changed = weights.delete(name) || changed;
    },
    uniqueName: (hint) => uniqueName(hint, state.taken()),
    close(outer) {
      const own = new Set<string>([
        ...outer,
        ...self.inputs.map((info) => info.name),
        ...weights.keys(),
        ...graph.sparseWeights.map((weight) => weight.name),
        ...slots.flatMap((nodes) => nodes.flatMap((node) => node.outputs)),
      ]);
      const closed = slots.flat().map((node) => closeNode(node, own, state));
      changed ||= closed.some((node, index) => node !== graph.nodes[index]);
      changed ||= self.inputs !== graph.inputs || self.outputs !== graph.outputs || self.values !== graph.values;
      if (!changed) return graph;
      const nodes = sortNodes(closed, new Set(self.outputs.map((info) => info.name)));
      checkNames(nodes, self, own);
      const used = new Set([...nodes.flatMap((node) => [...readsOf(node)]), ...self.outputs.map((info) => info.name)]);
      const listed = new Set(self.inputs.map((info) => info.name));
      const made = new Set(nodes.filter((node) => original.has(node)).flatMap((node) => node.outputs));
      const given = new Set(graph.values);
      const alive = new Set(nodes.flatMap((node) => node.outputs));
      return {
        ...graph,
        nodes,
        inputs: self.inputs,
        outputs: self.outputs,
        values: self.values.filter(
          (info) => made.has(info.name) || ((typed.has(info) || !given.has(info)) && alive.has(info.name)),
        ),
        weights: new Map([...weights].filter(([name]) => used.has(name) || listed.has(name))),
        sparseWeights: graph.sparseWeights.filter(({ name }) => used.has(name)),
      };
    },
  };
  return self;
};

const closeNode = (node: Node, outer: ReadonlySet<string>, state: DraftState): Node =>
  mapSubgraphs(node, (graph) => state.drafts.get(graph)?.close(outer) ?? graph);

const checkNames = (nodes: readonly Node[], { path, outputs }: GraphDraft, known: ReadonlySet<string>) => {
  const where = path.length > 0 ? ` of the subgraph at ${path.join(" / ")}` : "";
  const fail = (what: string, name: string) => {
    throw new EspalierError(
      "BAD_MODEL",
      "core/edit",
      `${what}${where} reads "${name}", which nothing makes. Add the node or weight, or rewire the reader.`,
    );
  };
  for (const node of nodes) {
    for (const name of readsOf(node)) if (!known.has(name)) fail(`node "${labelOf(node)}"`, name);
  }
  for (const { name } of outputs) if (!known.has(name)) fail("the output list", name);
};
