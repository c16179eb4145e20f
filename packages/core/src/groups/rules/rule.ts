import type { Node } from "../../model.ts";
import type { Value } from "../axis.ts";
import type { Trace } from "../trace.ts";

/**
 * Follows axes through a node and ties them together; what it knows of each output. Undefined where it cannot follow
 * this node: then everything that goes in stays.
 */
export type Rule = (trace: Trace, node: Node) => readonly Value[] | undefined;

export type Rules = Readonly<Record<string, Rule>>;

/** The same rule for several operators. */
export const all = (names: string, rule: Rule): Rules =>
  Object.fromEntries(names.split(" ").map((name) => [name, rule]));
