import { intOf } from "../../attrs.ts";
import { constantOf, type Scope } from "../../graph.ts";
import type { Node } from "../../model.ts";

/** Operators that only move or retype indices on their way to a table, and the inputs that carry them. */
const MOVES: Readonly<Record<string, readonly [first: number, end: number]>> = {
  Cast: [0, 1],
  Concat: [0, Number.POSITIVE_INFINITY],
  Expand: [0, 1],
  Flatten: [0, 1],
  Gather: [0, 1],
  Identity: [0, 1],
  Reshape: [0, 1],
  Slice: [0, 1],
  Split: [0, 1],
  Squeeze: [0, 1],
  Tile: [0, 1],
  Transpose: [0, 1],
  Unsqueeze: [0, 1],
  Where: [1, 3],
};

/** What the table of a compressed model passes through before it is read from; it comes through the first input. */
const DECODES: ReadonlySet<string> = new Set(["Cast", "DequantizeLinear", "Identity", "Mul", "Reshape", "Sub"]);
const MOST_DECODES = 8;

/** [table, indices]: inputs of operators that look rows up. */
const LOOK_UPS: Readonly<Record<string, readonly (readonly [table: number, indices: number])[]>> = {
  EmbedLayerNormalization: [
    [2, 0],
    [3, 8],
    [4, 1],
  ],
  Gather: [[0, 1]],
  GatherBlockQuantized: [[0, 1]],
};

/** Length of one axis of the table behind a value, or undefined where it is computed. */
const tableLength = (scope: Scope, name: string, axis: number): number | undefined => {
  let wanted = name;
  for (let steps = 0; steps < MOST_DECODES; steps++) {
    const constant = constantOf(scope, wanted);
    if (constant) return constant.tensor.dims.at(axis);
    const node = scope.producers.get(wanted);
    if (!node || !DECODES.has(node.opType)) return undefined;
    wanted = node.inputs[0];
  }
  return undefined;
};

/** The scope that makes a value, from the one that reads it outward; undefined for inputs of a graph. */
const makerOf = (scope: Scope, name: string): Scope | undefined => {
  let at: Scope | undefined = scope;
  while (at && !at.producers.has(name)) at = at.inputs.has(name) ? undefined : at.parent;
  return at;
};

/**
 * For each value whose elements look up rows of a constant table: the number of rows of the smallest such table.
 * Followed from the tables back to where the indices come from, through what only moves or retypes them, out of
 * subgraphs too.
 */
export const idRows = (scopes: readonly Scope[]): ReadonlyMap<string, number> => {
  const rows = new Map<string, number>();
  const note = (scope: Scope, name: string, bound: number) => {
    if (name === "" || (rows.get(name) ?? Number.POSITIVE_INFINITY) <= bound) return;
    rows.set(name, bound);
    const maker = makerOf(scope, name);
    const node: Node | undefined = maker?.producers.get(name);
    const carried = node && MOVES[node.opType];
    if (maker && carried) for (const input of node.inputs.slice(...carried)) note(maker, input, bound);
  };
  for (const scope of scopes)
    for (const node of scope.graph.nodes)
      for (const [table, indices] of LOOK_UPS[node.opType] ?? []) {
        const axis = intOf(node, node.opType === "GatherBlockQuantized" ? "gather_axis" : "axis", 0);
        const length = tableLength(scope, node.inputs[table] ?? "", axis);
        if (length !== undefined) note(scope, node.inputs[indices] ?? "", length);
      }
  return rows;
};
