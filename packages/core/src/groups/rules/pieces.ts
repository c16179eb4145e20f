import { intOf, ints, intsOf, stringOf } from "../../attrs.ts";
import type { Node } from "../../model.ts";
import { tensor } from "../../tensor.ts";
import { type Axis, type Element, plain, type Value } from "../axis.ts";
import type { Term } from "../terms.ts";
import {
  axesAt,
  fix,
  fromFront,
  joinAxes,
  numbersAt,
  pinAxis,
  pinElements,
  pinValue,
  stopAt,
  type Trace,
  valueAt,
} from "../trace.ts";
import { patched } from "./patch.ts";
import type { Rule, Rules } from "./rule.ts";

const termsOf = ({ length, units }: Axis): readonly Term[] =>
  units ?? Array.from({ length: length as number }, (): Term => []);

const concat: Rule = (trace, node) => {
  const values = node.inputs.map((_, i) => valueAt(trace, node, i));
  if (values.some((value) => !value?.axes)) return undefined;
  const given = values.map((value) => value!.axes!);
  const at = fromFront(intOf(node, "axis", 0), given[0].length);
  const elements = values.every((value) => value!.elements) ? values.flatMap((value) => value!.elements!) : undefined;
  if (!elements)
    for (const value of values) pinElements(trace, value!.elements ?? [], stopAt(node, "it stores the length"));
  const stop = stopAt(node, "it joins parts of which not all lengths are known");
  const axes = given[0].map((_, i): Axis => {
    const parts = given.map((each) => each[i]);
    if (i !== at) {
      const joined = parts.reduce((a, b) => joinAxes(trace, a, b, stop));
      return { ...joined, zero: parts.every(({ zero }) => zero) };
    }
    if (parts.some(({ length }) => typeof length !== "number")) {
      for (const part of parts) pinAxis(trace, part, stop);
      return plain(trace.symbol());
    }
    const length = parts.reduce((sum, part) => sum + (part.length as number), 0);
    if (parts.every(({ units }) => units === undefined)) return plain(length);
    return { length, units: parts.flatMap(termsOf), zero: parts.every(({ units, zero }) => zero || !units) };
  });
  return [{ axes, ...(elements && { elements }) }];
};

const cut = ({ units, zero }: Axis, from: number, to: number): Axis =>
  units ? { length: to - from, units: units.slice(from, to), zero } : plain(to - from);

/** A piece of length 1 may be broadcast: it stays. */
const piece = (trace: Trace, node: Node, axis: Axis, from: number, to: number): Axis => {
  const made = cut(axis, from, to);
  if (made.length !== 1 || !made.units) return made;
  pinAxis(trace, made, stopAt(node, "it cuts out a single position"));
  return plain(1);
};

const SPLIT_INPUT = 13;

const split: Rule = (trace, node) => {
  const value = valueAt(trace, node, 0);
  if (!value?.axes) return undefined;
  const at = fromFront(intOf(node, "axis", 0), value.axes.length);
  const axis = value.axes[at];
  const given = node.inputs[1] ? numbersAt(trace, node, 1) : intsOf(node, "split");
  if (typeof axis.length !== "number" || (node.inputs[1] && !given)) {
    pinAxis(trace, axis, stopAt(node, "it cuts an axis at places that are not known"));
    return node.outputs.map(
      (): Value => ({
        axes: value.axes!.map((each, i) => (i === at ? plain(trace.symbol()) : each)),
      }),
    );
  }
  const each = Math.ceil(axis.length / node.outputs.length);
  const total = axis.length;
  const sizes = given ?? node.outputs.map((_, i) => Math.min(each, total - i * each));
  let from = 0;
  const parts = sizes.map((length) => {
    const part = piece(trace, node, axis, from, from + length);
    from += length;
    return part;
  });
  if (axis.units)
    fix(trace, node, (now, shrunk) => {
      const counts = parts.map((part) => (part.units ? shrunk.kept(part).length : (part.length as number)));
      if (counts.every((count, i) => count === sizes[i])) return now;
      const attributes = new Map(now.attributes);
      attributes.delete("num_outputs");
      if (trace.opset < SPLIT_INPUT) return { ...now, attributes: attributes.set("split", ints(counts)) };
      const name = shrunk.constant(
        `${now.outputs[0]}_split`,
        tensor("int64", [counts.length], BigInt64Array.from(counts.map(BigInt))),
      );
      return { ...now, attributes, inputs: [now.inputs[0], name] };
    });
  return parts.map((part) => ({ axes: value.axes!.map((other, i) => (i === at ? part : other)) }));
};

const clamp = (index: number, length: number): number => {
  const at = index < 0 ? index + length : index;
  return Math.max(0, Math.min(length, at));
};

interface Cuts {
  readonly starts: readonly (number | string)[];
  readonly ends: readonly (number | string)[];
  readonly axes: readonly number[];
  readonly steps: readonly (number | string)[];
}

const cutsOf = (trace: Trace, node: Node, rank: number): Cuts | undefined => {
  const elements = (index: number) => valueAt(trace, node, index)?.elements?.map(({ number }) => number);
  const inputs = node.inputs.length > 1;
  const starts = inputs ? elements(1) : intsOf(node, "starts");
  const ends = inputs ? elements(2) : intsOf(node, "ends");
  if (!starts || !ends) return undefined;
  const usual = starts.map((_, i) => i);
  const axes = inputs ? (node.inputs[3] ? numbersAt(trace, node, 3) : usual) : (intsOf(node, "axes") ?? usual);
  const steps = inputs && node.inputs[4] ? elements(4) : starts.map(() => 1);
  return axes && steps && { starts, ends, axes: axes.map((axis) => fromFront(axis, rank)), steps };
};

const slice: Rule = (trace, node) => {
  const value = valueAt(trace, node, 0);
  if (!value?.axes) return undefined;
  const cuts = cutsOf(trace, node, value.axes.length);
  if (!cuts) return undefined;
  const moved = new Map<number, { axis: Axis; from: number; to: number }>();
  const axes = [...value.axes];
  let elements: readonly Element[] | undefined = value.elements;
  for (const [i, at] of cuts.axes.entries()) {
    const axis = axes[at];
    const [start, end, step] = [cuts.starts[i], cuts.ends[i], cuts.steps[i]];
    const known = typeof start === "number" && typeof end === "number" && typeof axis.length === "number";
    if (!known || step !== 1) {
      pinAxis(trace, axis, stopAt(node, "it cuts an axis at places that are not known, or takes steps"));
      elements = undefined;
      axes[at] = plain(trace.symbol());
      if (start === 0 && step === 1 && Number(end) >= 2 ** 31 - 1) axes[at] = axis;
      continue;
    }
    const [from, to] = [clamp(start, axis.length as number), clamp(end, axis.length as number)];
    elements = elements?.slice(from, to);
    if (from === 0 && to === axis.length) continue;
    axes[at] = piece(trace, node, axis, from, Math.max(from, to));
    if (axis.units) moved.set(i, { axis, from, to });
  }
  for (const index of node.inputs.keys())
    if (index > 0)
      pinValue(trace, { elements: valueAt(trace, node, index)?.elements ?? [] }, stopAt(node, "it cuts at the length"));
  if (value.elements && !elements) pinElements(trace, value.elements, stopAt(node, "it takes one of the lengths"));
  if (moved.size > 0) fix(trace, node, (now, shrunk) => moveCuts(trace, now, moved, shrunk));
  return [{ axes, ...(elements && { elements }) }];
};

/** Places where a shorter axis is cut. */
const moveCuts = (
  trace: Trace,
  node: Node,
  moved: ReadonlyMap<number, { axis: Axis; from: number; to: number }>,
  shrunk: Parameters<Parameters<typeof fix>[2]>[1],
): Node => {
  const [starts, ends] = [new Map<number, number>(), new Map<number, number>()];
  for (const [i, { axis, from, to }] of moved) {
    const kept = shrunk.kept(axis);
    if (kept.length === axis.length) continue;
    starts.set(i, kept.filter((at) => at < from).length);
    ends.set(i, kept.filter((at) => at < to).length);
  }
  if (starts.size === 0) return node;
  if (node.inputs.length > 1) return patched(trace, patched(trace, node, 1, starts, shrunk), 2, ends, shrunk);
  const put = (name: string, by: ReadonlyMap<number, number>) =>
    ints(intsOf(node, name)!.map((number, i) => by.get(i) ?? number));
  return {
    ...node,
    attributes: new Map([...node.attributes, ["starts", put("starts", starts)], ["ends", put("ends", ends)]]),
  };
};

const pad: Rule = (trace, node) => {
  const x = axesAt(trace, node, 0);
  const pads = node.inputs.length > 1 ? numbersAt(trace, node, 1) : intsOf(node, "pads");
  if (!x) return undefined;
  const chosen = node.inputs[3] ? numbersAt(trace, node, 3) : x.map((_, i) => i);
  if (!pads || !chosen) return undefined;
  const constant = (stringOf(node, "mode") ?? "constant") === "constant";
  const fill = node.inputs[2] ? valueAt(trace, node, 2)?.floats?.[0] : 0;
  const axes = [...x];
  for (const [i, wanted] of chosen.entries()) {
    const at = fromFront(wanted, x.length);
    const [before, after] = [pads[i], pads[chosen.length + i]];
    const axis = x[at];
    if (before === 0 && after === 0) continue;
    if (typeof axis.length !== "number" || !constant || before < 0 || after < 0) {
      pinAxis(trace, axis, stopAt(node, "it repeats or cuts the edge of the axis"));
      axes[at] = plain(typeof axis.length === "number" ? axis.length + before + after : trace.symbol());
      continue;
    }
    const edge = (length: number) => Array.from({ length }, (): Term => []);
    axes[at] = axis.units
      ? {
          length: axis.length + before + after,
          units: [...edge(before), ...axis.units, ...edge(after)],
          zero: axis.zero,
        }
      : plain(axis.length + before + after);
  }
  // what is put at the edges is as long as the axes beside it
  return [{ axes: axes.map((axis) => (fill === 0 ? axis : { ...axis, zero: false })) }];
};

const ROWS = { node: "", reason: "rows of a table", silent: true } as const;

const gather: Rule = (trace, node) => {
  const [value, index] = [valueAt(trace, node, 0), valueAt(trace, node, 1)];
  if (!value?.axes || !index?.axes) return undefined;
  const at = fromFront(intOf(node, "axis", 0), value.axes.length);
  const axis = value.axes[at];
  const numbers = numbersAt(trace, node, 1)?.map((i) =>
    typeof axis.length === "number" && i < 0 ? i + axis.length : i,
  );
  const around = (inner: readonly Axis[]) => [...value.axes!.slice(0, at), ...inner, ...value.axes!.slice(at + 1)];
  if (value.elements) {
    const picked = numbers?.map((i) => value.elements![i]);
    if (!picked) pinElements(trace, value.elements, stopAt(node, "it takes one of the lengths"));
    return [{ axes: index.axes, ...(picked && index.axes.length < 2 && { elements: picked }) }];
  }
  if (axis.units && numbers && index.axes.length === 1 && numbers.length > 1) {
    const picked: Axis = { length: numbers.length, units: numbers.map((i) => axis.units![i]), zero: axis.zero };
    fix(trace, node, (now, shrunk) => {
      const kept = shrunk.kept(axis);
      if (kept.length === axis.length) return now;
      const places = numbers.flatMap((i) => (kept.includes(i) ? [BigInt(kept.indexOf(i))] : []));
      const name = shrunk.constant(now.inputs[1], tensor("int64", [places.length], BigInt64Array.from(places)));
      return { ...now, inputs: [now.inputs[0], name] };
    });
    return [{ axes: around([picked]) }];
  }
  pinAxis(trace, axis, value.weight === undefined ? stopAt(node, "it picks positions of the axis") : ROWS);
  pinElements(trace, index.elements ?? [], stopAt(node, "it picks by the length"));
  for (const each of value.weight === undefined ? [] : around([]))
    if (each.units) trace.uses.push({ node, role: "out", axis: each, kind: "neurons" });
  return [{ axes: around(index.axes) }];
};

export const pieces: Rules = { Concat: concat, Split: split, Slice: slice, Pad: pad, Gather: gather };
