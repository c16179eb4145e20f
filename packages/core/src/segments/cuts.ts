import { readsOf } from "../graph.ts";
import type { Node } from "../model.ts";

/**
 * How many values cross between each node and the next: made before, read behind.
 *
 * @param nodes   in order
 * @param counted which values count
 * @returns [nodes.length]: entry i is for the gap behind node i
 */
const crossings = (nodes: readonly Node[], counted: (value: string) => boolean): readonly number[] => {
  const madeAt = new Map<string, number>();
  const lastRead = new Map<string, number>();
  nodes.forEach((node, i) => {
    for (const name of readsOf(node)) if (madeAt.has(name)) lastRead.set(name, i);
    for (const name of node.outputs) if (name !== "" && counted(name)) madeAt.set(name, i);
  });
  const steps = new Array<number>(nodes.length + 1).fill(0);
  for (const [name, last] of lastRead) {
    steps[madeAt.get(name)!]++;
    steps[last]--;
  }
  let open = 0;
  return nodes.map((_, i) => {
    open += steps[i];
    return open;
  });
};

/**
 * Runs of nodes with at most `limit` counted values crossing from each to the rest. A run has at least one of the nodes
 * that `starts` names, and ends as late as it may before the next.
 */
export const cutNodes = (
  nodes: readonly Node[],
  starts: (node: Node) => boolean,
  counted: (value: string) => boolean,
  limit: number,
): readonly (readonly Node[])[] => {
  const crossing = crossings(nodes, counted);
  const runs: Node[][] = [];
  let begin = 0;
  let hasStart = false;
  let gap = -1;
  nodes.forEach((node, i) => {
    if (starts(node)) {
      if (hasStart && gap >= begin) {
        runs.push(nodes.slice(begin, gap + 1));
        begin = gap + 1;
      }
      hasStart = true;
      gap = -1;
    }
    if (hasStart && crossing[i] <= limit) gap = i;
  });
  runs.push(nodes.slice(begin));
  return runs;
};
