import { EspalierError } from "../errors.ts";
import { labelOf, readsOf } from "../graph.ts";
import type { Node } from "../model.ts";

/**
 * Nodes in topological order; each stays where it is unless a node it reads from stands later. Only nodes that `roots`
 * need are kept.
 *
 * @throws EspalierError `BAD_MODEL` for a cycle, or for a value that two nodes make
 */
export const sortNodes = (nodes: readonly Node[], roots: ReadonlySet<string>): Node[] => {
  const producer = new Map<string, Node>();
  for (const node of nodes) {
    for (const output of node.outputs) {
      if (output === "") continue;
      const other = producer.get(output);
      if (other) {
        throw new EspalierError(
          "BAD_MODEL",
          "core/edit",
          `value "${output}" is made by two nodes, "${labelOf(other)}" and "${labelOf(node)}". Rename one of them.`,
        );
      }
      producer.set(output, node);
    }
  }
  const before = new Map(nodes.map((node) => [node, [...readsOf(node)].flatMap((name) => producer.get(name) ?? [])]));
  const live = new Set<Node>(nodes.filter((node) => node.outputs.every((output) => output === "")));
  const pending = [...live];
  for (const name of roots) {
    const node = producer.get(name);
    if (node && !live.has(node)) {
      live.add(node);
      pending.push(node);
    }
  }
  for (let node = pending.pop(); node; node = pending.pop()) {
    for (const earlier of before.get(node)!) {
      if (live.has(earlier)) continue;
      live.add(earlier);
      pending.push(earlier);
    }
  }
  const sorted: Node[] = [];
  const state = new Map<Node, "open" | "done">();
  for (const start of nodes) {
    if (!live.has(start) || state.get(start) === "done") continue;
    const stack: { node: Node; next: number }[] = [{ node: start, next: 0 }];
    state.set(start, "open");
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      const earlier = before.get(top.node)!;
      if (top.next === earlier.length) {
        state.set(top.node, "done");
        sorted.push(top.node);
        stack.pop();
        continue;
      }
      const node = earlier[top.next++];
      const known = state.get(node);
      if (known === "open") {
        throw new EspalierError(
          "BAD_MODEL",
          "core/edit",
          `the graph has a cycle through "${labelOf(node)}" and "${labelOf(top.node)}". A graph must flow one way.`,
        );
      }
      if (known === undefined) {
        state.set(node, "open");
        stack.push({ node, next: 0 });
      }
    }
  }
  return sorted;
};
