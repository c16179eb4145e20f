import { intOf } from "../../attrs.ts";
import { constantOf, type Scope, walkGraphs } from "../../graph.ts";
import type { Model, Node } from "../../model.ts";

/** Operators that only move or retype indices on their way to a table. */
const MOVES: ReadonlySet<string> = new Set([
  "Cast",
  "Concat",
  "Expand",
  "Flatten",
  "Gather",
  "Identity",
  "Reshape",
  "Slice",
  "Split",
  "Squeeze",
  "Tile",
  "Transpose",
  "Unsqueeze",
  "Where",
]);

/** What a table in a compressed model passes through before it is read from: its first input is the table still. */
const DECODES: ReadonlySet<string> = new Set(["Cast", "DequantizeLinear", "Identity", "Mul", "Reshape", "Sub"]);

/** Length of one axis of the table behind a value, or undefined where it is computed. */
const tableLength = (scope: Scope, name: string, axis: number): number | undefined => {
  let wanted = name;
  for (let steps = 0; steps < MOVES.size; steps++) {
    const constant = constantOf(scope, wanted);
    if (constant) {
      const { dims } = constant.tensor;
      return dims[axis < 0 ? axis + dims.length : axis];
    }
    const node = scope.producers.get(wanted);
    if (!node || !DECODES.has(node.opType)) return undefined;
    wanted = node.inputs[0];
  }
  return undefined;
};

/** [table, indices] inputs of operators that look rows up. */
const lookUps = (node: Node): readonly (readonly [table: number, indices: number])[] => {
  switch (node.opType) {
    case "Gather":
    case "GatherBlockQuantized":
      return [[0, 1]];
    case "EmbedLayerNormalization":
      return [
        [2, 0],
        [4, 1],
      ];
    default:
      return [];
  }
};

/**
 * For each value whose elements look up rows of a constant table: the number of rows of the smallest one. Followed from
 * the tables back to where the indices come from, through what only moves or retypes them, subgraphs too.
 */
export const idRows = (model: Model): Map<string, number> => {
  const rows = new Map<string, number>();
  const note = (scope: Scope, name: string, bound: number, depth: number) => {
    if (name === "" || (rows.get(name) ?? Number.POSITIVE_INFINITY) <= bound) return;
    rows.set(name, bound);
    let at: Scope | undefined = scope;
    while (at && !at.producers.has(name)) at = at.inputs.has(name) ? undefined : at.parent;
    const node = at?.producers.get(name);
    if (!at || !node || !MOVES.has(node.opType) || depth > model.graph.nodes.length) return;
    // Where picks between its last two; others have what they move first, Concat everywhere
    const [start, end] = node.opType === "Where" ? [1, 3] : [0, node.opType === "Concat" ? node.inputs.length : 1];
    for (const input of node.inputs.slice(start, end)) note(at, input, bound, depth + 1);
  };
  for (const scope of walkGraphs(model)) {
    for (const node of scope.graph.nodes) {
      for (const [table, indices] of lookUps(node)) {
        const axis = intOf(node, node.opType === "GatherBlockQuantized" ? "gather_axis" : "axis", 0);
        const length = tableLength(scope, node.inputs[table] ?? "", axis);
        if (length !== undefined) note(scope, node.inputs[indices], length, 0);
      }
    }
  }
  return rows;
};
