import { int, intOf, intsOf } from "../../attrs.ts";
import type { Node } from "../../model.ts";
import { type Axis, plain } from "../axis.ts";
import { axesAt, contract, factored, fix, joinAxes, mergedUnits, pinAxis, stopAt, type Trace } from "../trace.ts";
import { note } from "./products.ts";
import { all, type Rule, type Rules } from "./rule.ts";
import { windowLengths } from "./windows.ts";

const SLIDES = "it slides along the axis";
const KERNEL = { reason: "a tap of a kernel", silent: true } as const;

/** What a kernel slides over, and its taps, stay. */
const pinWindows = (trace: Trace, node: Node, x: readonly Axis[], w: readonly Axis[]) => {
  for (const axis of w.slice(2)) pinAxis(trace, axis, { node: "", ...KERNEL });
  for (const axis of x.slice(2)) pinAxis(trace, axis, stopAt(node, SLIDES));
};

/** Channels in groups: the axis of the groups and that within each. */
const inGroups = (trace: Trace, node: Node, axis: Axis, groups: number): [Axis, Axis] => {
  const { length } = axis;
  if (typeof length !== "number" || groups === 1) return [plain(groups), axis];
  const [outer, inner] = factored(
    trace,
    axis,
    [groups, length / groups],
    stopAt(node, "it works in groups of channels"),
  );
  return [outer, inner];
};

/** Ties the groups of the input to those of the output. */
const tie = (trace: Trace, node: Node, groups: number, a: Axis, b: Axis) => {
  if (groups === 1) return;
  joinAxes(trace, a, b, stopAt(node, "its groups meet channels that cannot be removed in groups"));
  const axis = a.units ? a : b;
  fix(trace, node, (now, shrunk) => ({
    ...now,
    attributes: new Map([...now.attributes, ["group", int(axis.units ? shrunk.kept(axis).length : groups)]]),
  }));
};

const withBias = (trace: Trace, node: Node, index: number, out: Axis): Axis => {
  const bias = node.inputs[index] ? axesAt(trace, node, index) : undefined;
  if (!node.inputs[index]) return out;
  if (!bias) {
    pinAxis(trace, out, stopAt(node, "its bias is not known"));
    return out;
  }
  joinAxes(trace, out, bias[0], stopAt(node, "its bias cannot be cut"));
  return { ...out, zero: out.zero && bias[0].zero };
};

// x [n, c, ..], w [m, c / groups, ..] -> [n, m, ..]
const conv: Rule = (trace, node) => {
  const [x, w] = [axesAt(trace, node, 0), axesAt(trace, node, 1)];
  if (!x || !w || x.length < 3) return undefined;
  const groups = intOf(node, "group", 1);
  pinWindows(trace, node, x, w);
  const [given, inner] = inGroups(trace, node, x[1], groups);
  const [made, own] = inGroups(trace, node, w[0], groups);
  // of a depthwise convolution, a group is a channel
  if (groups > 1 && (inner.length !== 1 || own.length !== 1)) trace.kinds.push({ axis: made, kind: "convGroups" });
  tie(trace, node, groups, given, made);
  contract(trace, node, inner, w[1]);
  note(trace, node, "out", w[0], "channels");
  note(trace, node, "in", w[1], "channels");
  trace.work.push({ node, axes: [w[0], w[1]] });
  const out = withBias(trace, node, 2, w[0]);
  return [{ axes: [x[0], out, ...windowLengths(trace, node, x.slice(2), w.slice(2))] }];
};

// x [n, c, ..], w [c, m / groups, ..] -> [n, m, ..]
const convTranspose: Rule = (trace, node) => {
  const [x, w] = [axesAt(trace, node, 0), axesAt(trace, node, 1)];
  if (!x || !w || x.length < 3) return undefined;
  const groups = intOf(node, "group", 1);
  pinWindows(trace, node, x, w);
  contract(trace, node, x[1], w[0]);
  const [given, inner] = inGroups(trace, node, w[0], groups);
  let out = w[1];
  if (groups > 1) {
    const outer = given.units ? given : plain(groups);
    if (inner.length !== 1 || w[1].length !== 1) trace.kinds.push({ axis: outer, kind: "convGroups" });
    fix(trace, node, (now, shrunk) => ({
      ...now,
      attributes: new Map([...now.attributes, ["group", int(outer.units ? shrunk.kept(outer).length : groups)]]),
    }));
    out = mergedUnits(outer, w[1]);
  }
  note(trace, node, "out", groups === 1 ? w[1] : out, "channels");
  note(trace, node, "in", w[0], "channels");
  trace.work.push({ node, axes: [w[0], w[1]] });
  return [{ axes: [x[0], withBias(trace, node, 2, out), ...x.slice(2).map(() => plain(trace.symbol()))] }];
};

/** Windows over each channel alone. */
const pool: Rule = (trace, node) => {
  const x = axesAt(trace, node, 0);
  const kernel = intsOf(node, "kernel_shape");
  if (!x || x.length < 3 || !kernel) return undefined;
  const axes = [x[0], x[1], ...windowLengths(trace, node, x.slice(2), kernel.map(plain))];
  for (const axis of x.slice(2)) pinAxis(trace, axis, stopAt(node, SLIDES));
  return node.outputs.map(() => ({ axes }));
};

const globalPool: Rule = (trace, node) => {
  const x = axesAt(trace, node, 0);
  if (!x) return undefined;
  for (const axis of x.slice(2)) pinAxis(trace, axis, stopAt(node, "it takes the whole axis together"));
  return [{ axes: [...x.slice(0, 2), ...x.slice(2).map(() => plain(1))] }];
};

export const convolutions: Rules = {
  Conv: conv,
  ConvTranspose: convTranspose,
  ...all("AveragePool MaxPool LpPool", pool),
  ...all("GlobalAveragePool GlobalMaxPool GlobalLpPool", globalPool),
};
