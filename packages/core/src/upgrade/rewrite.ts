import type { Node } from "../model.ts";
import type { DataType, Tensor } from "../tensor.ts";

/** What a rewrite may ask for and make. */
export interface RewriteContext {
  /** A new constant in the graph of the node; returns its name. */
  constant(hint: string, value: Tensor): string;
  /** A name that nothing in the model has. */
  fresh(hint: string): string;
  /** Element type of a value, where the model tells it. */
  typeOf(value: string): DataType | undefined;
  /** Rank of a value, where the model tells it. */
  rankOf(value: string): number | undefined;
  /** The constant behind a value, when its data can be read at once. */
  constantOf(value: string): Tensor | undefined;
  /** True when something reads the value. */
  isRead(value: string): boolean;
}

/**
 * The same computation in the form of the next schema version: the nodes, in order, or the reason why there is
 * none. The outputs of the node keep their names.
 */
export type Rewrite = (node: Node, context: RewriteContext) => readonly Node[] | string;

/** A copy of a node without some attributes, and with some set. */
export const withAttributes = (
  node: Node,
  without: readonly string[],
  set: Readonly<Record<string, NonNullable<ReturnType<Node["attributes"]["get"]>>>> = {},
): Node => {
  const attributes = new Map(node.attributes);
  for (const name of without) attributes.delete(name);
  for (const [name, value] of Object.entries(set)) attributes.set(name, value);
  return { ...node, attributes };
};

/** A copy of a node whose optional inputs at the end, where empty, are left out. */
export const withInputs = (node: Node, inputs: readonly string[]): Node => {
  let count = inputs.length;
  while (count > 0 && inputs[count - 1] === "") count -= 1;
  return { ...node, inputs: inputs.slice(0, count) };
};
