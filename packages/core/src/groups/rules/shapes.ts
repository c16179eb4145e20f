import { intOf, intsOf } from "../../attrs.ts";
import type { Node } from "../../model.ts";
import { sizeOf } from "../../tensor.ts";
import { type Axis, type Element, plain } from "../axis.ts";
import { axesAt, factored, fromFront, merged, numbersAt, pinAxis, stopAt, type Trace, valueAt } from "../trace.ts";
import { patchShape } from "./patch.ts";
import type { Rule, Rules } from "./rule.ts";

type Length = number | string;

const product = (lengths: readonly Length[]): number | undefined =>
  lengths.every((length) => typeof length === "number") ? sizeOf(lengths as number[]) : undefined;

/** What a shape asks for: 0 copies, -1 is what is left where the rest is known. */
const asked = (trace: Trace, elements: readonly Element[], axes: readonly Axis[], allowZero: boolean): Length[] => {
  const lengths = elements.map(({ number }, i): Length => (number === 0 && !allowZero ? axes[i].length : number));
  const open = lengths.indexOf(-1);
  if (open < 0) return lengths;
  // lengths that stand on both sides cancel out
  const given = axes.map(({ length }) => length);
  const others = lengths.filter((_, i) => i !== open);
  for (const length of [...others]) {
    if (typeof length === "number" || !given.includes(length)) continue;
    given.splice(given.indexOf(length), 1);
    others.splice(others.indexOf(length), 1);
  }
  const [whole, part] = [product(given), product(others)];
  const single = given.filter((length) => typeof length === "string");
  if (whole !== undefined && part !== undefined && part > 0) lengths[open] = whole / part;
  else if (part !== undefined && single.length === 1 && product(given.filter((l) => l !== single[0])) === part)
    lengths[open] = single[0];
  else lengths[open] = trace.symbol();
  return lengths;
};

interface Block {
  readonly from: readonly Axis[];
  readonly to: readonly Length[];
}

/** The shortest runs of axes that hold as much as runs of lengths do, from the front; what has no such run stays over. */
const peel = (axes: Axis[], lengths: Length[], blocks: Block[]): void => {
  while (axes.length > 0 && lengths.length > 0) {
    if (axes[0].length === lengths[0]) {
      blocks.push({ from: [axes.shift()!], to: [lengths.shift()!] });
      continue;
    }
    let [i, j] = [1, 1];
    for (;;) {
      const [a, b] = [product(axes.slice(0, i).map(({ length }) => length)), product(lengths.slice(0, j))];
      if (a === undefined || b === undefined) return;
      if (a === b) break;
      if (a < b ? i === axes.length : j === lengths.length) return;
      if (a < b) i++;
      else j++;
    }
    blocks.push({ from: axes.splice(0, i), to: lengths.splice(0, j) });
  }
};

/** Axes of a tensor that is read anew in `lengths`, row-major. */
const reshaped = (trace: Trace, node: Node, given: readonly Axis[], wanted: readonly Length[]): Axis[] => {
  const stop = stopAt(node, "it puts axes together of which not all lengths are known");
  const [axes, lengths] = [[...given], [...wanted]];
  const [front, back]: [Block[], Block[]] = [[], []];
  peel(axes, lengths, front);
  axes.reverse();
  lengths.reverse();
  peel(axes, lengths, back);
  const turned = back.reverse().map(({ from, to }) => ({ from: from.toReversed(), to: to.toReversed() }));
  const rest: Block[] = axes.length + lengths.length > 0 ? [{ from: axes.reverse(), to: lengths.reverse() }] : [];
  return [...front, ...rest, ...turned].flatMap(({ from, to }) => {
    if (to.length === 1 && from.length === 1 && from[0].length === to[0]) return [...from];
    const flat = merged(trace, from, stop);
    if (typeof flat.length !== "number" || product(to) !== flat.length) {
      for (const axis of from) for (const term of axis.units ?? []) trace.terms.pin(term, stop);
      return to.map(plain);
    }
    return factored(trace, flat, to as number[], stop);
  });
};

const kindOfRest = (value: { weight?: string }) => (value.weight === undefined ? {} : { weight: value.weight });

const reshape: Rule = (trace, node) => {
  const value = valueAt(trace, node, 0);
  const elements = valueAt(trace, node, 1)?.elements;
  if (!value?.axes || !elements) return undefined;
  const lengths = asked(trace, elements, value.axes, intOf(node, "allowzero", 0) !== 0);
  const axes = reshaped(trace, node, value.axes, lengths);
  patchShape(trace, node, 1, axes);
  return [{ axes, ...kindOfRest(value), ...(axes.length < 2 && value.elements && { elements: value.elements }) }];
};

const transpose: Rule = (trace, node) => {
  const value = valueAt(trace, node, 0);
  if (!value?.axes) return undefined;
  const { axes } = value;
  const order = intsOf(node, "perm") ?? axes.map((_, i) => axes.length - 1 - i);
  return [{ ...value, axes: order.map((axis) => axes[axis]) }];
};

const flatten: Rule = (trace, node) => {
  const x = axesAt(trace, node, 0);
  if (!x) return undefined;
  const at = fromFront(intOf(node, "axis", 1), x.length);
  const stop = stopAt(node, "it puts axes together of which not all lengths are known");
  const part = (axes: readonly Axis[]) => (axes.length === 0 ? plain(1) : merged(trace, axes, stop));
  return [{ axes: [part(x.slice(0, at)), part(x.slice(at))] }];
};

const axesOf = (trace: Trace, node: Node): number[] | undefined =>
  node.inputs[1] ? numbersAt(trace, node, 1) : intsOf(node, "axes");

const squeeze: Rule = (trace, node) => {
  const value = valueAt(trace, node, 0);
  if (!value?.axes) return undefined;
  const axes = axesOf(trace, node)?.map((axis) => fromFront(axis, value.axes!.length));
  if (!axes && (node.inputs[1] || value.axes.some(({ length }) => typeof length === "string"))) return undefined;
  // an axis that is cut to one position would go too
  if (!axes) for (const axis of value.axes) pinAxis(trace, axis, stopAt(node, "it removes whatever axis has length 1"));
  const kept = value.axes.filter((axis, i) => (axes ? !axes.includes(i) : axis.length !== 1));
  return [{ ...value, axes: kept }];
};

const unsqueeze: Rule = (trace, node) => {
  const value = valueAt(trace, node, 0);
  const asked = axesOf(trace, node);
  if (!value?.axes || !asked) return undefined;
  const rank = value.axes.length + asked.length;
  const added = new Set(asked.map((axis) => fromFront(axis, rank)));
  const rest = [...value.axes];
  const axes = Array.from({ length: rank }, (_, i) => (added.has(i) ? plain(1) : rest.shift()!));
  const { elements, ...others } = value;
  return [{ ...others, axes, ...(rank < 2 && elements && { elements }) }];
};

const shape: Rule = (trace, node) => {
  const x = axesAt(trace, node, 0);
  if (!x) return undefined;
  const end = intOf(node, "end", x.length);
  const elements = x
    .slice(fromFront(intOf(node, "start", 0), x.length), end < 0 ? end + x.length : end)
    .map((axis): Element => ({ number: axis.length, from: axis.units ? [axis] : [] }));
  return [{ axes: [plain(elements.length)], elements }];
};

const size: Rule = (trace, node) => {
  const x = axesAt(trace, node, 0);
  if (!x) return undefined;
  const number = product(x.map(({ length }) => length)) ?? trace.symbol();
  return [{ axes: [], elements: [{ number, from: x.filter(({ units }) => units !== undefined) }] }];
};

export const shapes: Rules = {
  Reshape: reshape,
  Transpose: transpose,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Shape: shape,
  Size: size,
};
