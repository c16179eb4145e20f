import { labelOf } from "../graph.ts";
import type { GroupKind } from "../groups.ts";
import type { Node } from "../model.ts";
import type { Tensor } from "../tensor.ts";
import { type Axis, canLose, type Element, factorAxis, mergeAxes, plain, type Value } from "./axis.ts";
import type { Stop, Terms } from "./terms.ts";

/** A model that is being shrunk, as the rules of operators see it. */
export interface Shrunk {
  /** Positions of an axis that stay. */
  kept(axis: Axis): number[];
  /** A new constant; its name. */
  constant(hint: string, value: Tensor): string;
  add(node: Node): void;
  unique(hint: string): string;
}

/** How a node changes when axes become shorter. */
export type Fix = (node: Node, shrunk: Shrunk) => Node;

/** A node that multiplies: its work is proportional to the length of each of these axes. */
interface Work {
  readonly node: Node;
  readonly axes: readonly Axis[];
}

/** A place where units enter or leave. */
export interface Use {
  readonly node: Node;
  readonly role: "out" | "in";
  readonly axis: Axis;
  readonly kind: GroupKind;
}

/** Everything that following a graph collects. */
export interface Trace {
  readonly terms: Terms;
  readonly opset: number;
  readonly values: Map<string, Value>;
  readonly fixes: Map<Node, Fix[]>;
  readonly work: Work[];
  readonly uses: Use[];
  /** Axes that make a kind of their own, whatever operators they come from. */
  readonly kinds: { readonly axis: Axis; readonly kind: GroupKind }[];
  /** Weights that a mask leaves as they are: dividing by 0 gives no number. */
  readonly unmasked: Set<string>;
  symbol(): string;
}

export const stopAt = (node: Node, reason: string): Stop => ({ node: labelOf(node), reason });

export const valueAt = (trace: Trace, node: Node, index: number): Value | undefined => {
  const name = node.inputs[index];
  return name ? trace.values.get(name) : undefined;
};

export const axesAt = (trace: Trace, node: Node, index: number): readonly Axis[] | undefined =>
  valueAt(trace, node, index)?.axes;

export const fix = (trace: Trace, node: Node, change: Fix): void => {
  const list = trace.fixes.get(node);
  if (list) list.push(change);
  else trace.fixes.set(node, [change]);
};

export const freshAxis = ({ terms }: Trace, length: number, zero: boolean): Axis =>
  length < 2 ? plain(length) : { length, units: Array.from({ length }, () => [terms.fresh()]), zero };

export const pinAxis = ({ terms }: Trace, { units }: Axis, stop: Stop): void => {
  for (const term of units ?? []) terms.pin(term, stop);
};

/** Keeps all that a value has, and all whose lengths it tells. */
export const pinValue = (trace: Trace, value: Value | undefined, stop: Stop): void => {
  for (const axis of value?.axes ?? []) pinAxis(trace, axis, stop);
  pinElements(trace, value?.elements ?? [], stop);
};

export const pinElements = (trace: Trace, elements: readonly Element[], stop: Stop): void => {
  for (const { from } of elements) for (const axis of from) pinAxis(trace, axis, stop);
};

/** Makes two axes lose the same positions; the one that can lose any. */
export const joinAxes = (trace: Trace, a: Axis, b: Axis, stop: Stop): Axis => {
  if (a === b) return a;
  if (canLose(a) && canLose(b) && a.length === b.length) {
    for (const [i, term] of a.units.entries()) trace.terms.equate(term, b.units[i], stop);
    return a;
  }
  pinAxis(trace, a, stop);
  pinAxis(trace, b, stop);
  if (typeof a.length === "number") return a;
  return typeof b.length === "number" ? b : a;
};

/** Sums over an axis of each factor: what is removed must be 0 in one of them. */
export const contract = (trace: Trace, node: Node, a: Axis, b: Axis): void => {
  const stop = stopAt(node, "it meets an axis that cannot lose positions");
  joinAxes(trace, a, b, stop);
  if (!a.zero && !b.zero)
    for (const axis of [a, b]) pinAxis(trace, axis, stopAt(node, "its sum takes in what masks do not make 0"));
};

/** Axes of a value, put together as one. Where lengths are unknown, nothing of it can be removed. */
export const merged = (trace: Trace, axes: readonly Axis[], stop: Stop): Axis => {
  const wide = axes.filter(({ length }) => length !== 1);
  if (wide.length === 1) return wide[0];
  const made = mergeAxes(axes);
  if (made) return made;
  for (const axis of axes) pinAxis(trace, axis, stop);
  return plain(trace.symbol());
};

/** Two axes as one, the second counting fastest, where at least one can lose positions. */
export const mergedUnits = (outer: Axis, inner: Axis): Axis => mergeAxes([outer, inner]) ?? outer;

export const factored = (trace: Trace, axis: Axis, lengths: readonly number[], stop: Stop): Axis[] =>
  factorAxis(trace.terms, axis, lengths, stop);

/** The index of an axis, from the front. */
export const fromFront = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Numbers of a small integer tensor, where all are known. */
export const numbersAt = (trace: Trace, node: Node, index: number): number[] | undefined => {
  const elements = valueAt(trace, node, index)?.elements;
  return elements?.every(({ number }) => typeof number === "number")
    ? elements.map(({ number }) => number as number)
    : undefined;
};
