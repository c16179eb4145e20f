import { consumers, type Graph, type Node, producers, readsOf } from "@espalier/core";
import type { Block } from "./find-blocks.ts";

/** Inputs and outputs of the model that belong to one block alone: past and present keys and values. */
export interface BlockState {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

type Consumers = ReturnType<typeof consumers>;

/** Nodes that a value reaches. */
const reachedBy = (value: string, readers: Consumers): ReadonlySet<Node> => {
  const found = new Set<Node>();
  const pending = [value];
  for (let name = pending.pop(); name !== undefined; name = pending.pop())
    for (const { node } of readers.get(name) ?? []) {
      if (found.has(node)) continue;
      found.add(node);
      pending.push(...node.outputs);
    }
  return found;
};

/** Names that a value is made of, through nodes of the block. */
const madeOf = (value: string, makers: ReadonlyMap<string, Node>, own: ReadonlySet<Node>): ReadonlySet<string> => {
  const found = new Set<string>();
  const pending = [value];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const node = makers.get(name);
    if (!node || !own.has(node)) continue;
    for (const read of readsOf(node)) {
      if (found.has(read)) continue;
      found.add(read);
      pending.push(read);
    }
  }
  return found;
};

/** What goes with a block, or the reason why the block cannot go. */
export const blockState = (graph: Graph, { input, output }: Block): BlockState | string => {
  const [readers, makers] = [consumers(graph), producers(graph)];
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const later = reachedBy(output, readers);
  const own = new Set([...reachedBy(input, readers)].filter((node) => !later.has(node)));
  for (const node of own)
    for (const name of node.outputs) {
      const stranger = name === output ? undefined : readers.get(name)?.find((reader) => !own.has(reader.node));
      if (stranger)
        return `its inner value "${name}" is read by ${stranger.node.opType} "${stranger.node.name}" behind it`;
    }
  const isOwn = (name: string) => (readers.get(name) ?? []).every(({ node }) => own.has(node));
  const given = graph.inputs.map(({ name }) => name).filter((name) => !graph.weights.has(name));
  const states = given.filter((name) => (readers.get(name)?.length ?? 0) > 0 && isOwn(name));
  const made = [...own].flatMap((node) => node.outputs.filter((name) => name !== output && outputs.has(name)));
  const alone = made.find((name) => {
    const parts = madeOf(name, makers, own);
    return !states.some((state) => parts.has(state));
  });
  if (alone !== undefined) return `it makes "${alone}", an output of the model that no input of its own belongs to`;
  return { inputs: states, outputs: made };
};
