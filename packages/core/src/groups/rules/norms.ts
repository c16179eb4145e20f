import { intOf, intsOf } from "../../attrs.ts";
import type { Node } from "../../model.ts";
import { type Axis, plain, type Value } from "../axis.ts";
import { axesAt, fromFront, joinAxes, numbersAt, pinAxis, stopAt, type Trace } from "../trace.ts";
import { all, type Rule, type Rules } from "./rule.ts";

const TOGETHER = "it takes the whole axis together";

const lost = (axis: Axis): Axis => (axis.zero ? { ...axis, zero: false } : axis);

/** A norm of each channel alone: x [n, c, ..], with parameters [c]. */
const channelNorm: Rule = (trace, node) => {
  const x = axesAt(trace, node, 0);
  if (!x) return undefined;
  let channels = x[1] ?? plain(trace.symbol());
  let zero = true;
  for (let i = 1; i < node.inputs.length; i++) {
    const axes = axesAt(trace, node, i);
    if (axes?.length !== 1) {
      pinAxis(trace, channels, stopAt(node, "its parameters are not known"));
      continue;
    }
    channels = joinAxes(trace, channels, axes[0], stopAt(node, "its parameters cannot be cut"));
    if (i < 3) zero &&= axes[0].zero;
  }
  const made: Value = { axes: x.map((axis, i) => (i === 1 ? { ...channels, zero } : lost(axis))) };
  return node.outputs.map((_, i) => (i === 0 ? made : { axes: [channels] }));
};

/** A norm over the last axes, from `axis` on; what it takes together stays. */
const lastNorm =
  (what: string): Rule =>
  (trace, node) => {
    const x = axesAt(trace, node, 0);
    if (!x) return undefined;
    const from = fromFront(intOf(node, "axis", -1), x.length);
    for (const axis of x.slice(from)) pinAxis(trace, axis, stopAt(node, what));
    for (let i = 1; i < node.inputs.length; i++)
      for (const axis of axesAt(trace, node, i) ?? []) pinAxis(trace, axis, stopAt(node, what));
    return node.outputs.map((_, i) => ({
      axes: x.map((axis, at) => (at < from ? lost(axis) : i === 0 ? lost(axis) : plain(1))),
    }));
  };

/** onnxruntime's own: the sum of two or three values, then a norm over the last axis; the sum comes out too. */
const skipNorm: Rule = (trace, node) => {
  const x = axesAt(trace, node, 0);
  if (!x) return undefined;
  const stop = stopAt(node, "its norm takes the whole axis together");
  for (const i of node.inputs.keys()) {
    const axes = node.inputs[i] ? (axesAt(trace, node, i) ?? []) : [];
    const last = axes.at(-1);
    if (last) pinAxis(trace, last, stop);
    if (axes.length === x.length)
      for (const [at, axis] of axes.slice(0, -1).entries()) joinAxes(trace, x[at], axis, stop);
  }
  return node.outputs.map((_, i) => (i === 0 || i === 3 ? { axes: x.map(lost) } : {}));
};

const FLAT_BEFORE = 13;

const softmax: Rule = (trace, node) => {
  const x = axesAt(trace, node, 0);
  if (!x) return undefined;
  const flat = trace.opset < FLAT_BEFORE;
  const at = fromFront(intOf(node, "axis", flat ? 1 : -1), x.length);
  const together = flat ? x.slice(at) : [x[at]];
  for (const axis of together) pinAxis(trace, axis, stopAt(node, TOGETHER));
  return [{ axes: x.map(lost) }];
};

/** Axes that a reduction takes; `zero`: a sum, that zeros do not change. */
const reduce =
  (sums: boolean): Rule =>
  (trace, node) => {
    const x = axesAt(trace, node, 0);
    if (!x) return undefined;
    const given = node.inputs[1] ? numbersAt(trace, node, 1) : intsOf(node, "axes");
    if (node.inputs[1] && !given) return undefined;
    const none = !given || given.length === 0;
    if (none && intOf(node, "noop_with_empty_axes", 0) !== 0) return [{ axes: x }];
    const taken = new Set(none ? x.map((_, i) => i) : given.map((axis) => fromFront(axis, x.length)));
    return [{ axes: reduced(trace, node, x, taken, sums) }];
  };

const reduced = (trace: Trace, node: Node, x: readonly Axis[], taken: ReadonlySet<number>, sums: boolean): Axis[] => {
  const keep = intOf(node, "keepdims", 1) !== 0;
  for (const [i, axis] of x.entries())
    if (taken.has(i) && !(sums && axis.zero)) pinAxis(trace, axis, stopAt(node, TOGETHER));
  return x.flatMap((axis, i) => (taken.has(i) ? (keep ? [plain(1)] : []) : [axis]));
};

const pick: Rule = (trace, node) => {
  const x = axesAt(trace, node, 0);
  if (!x) return undefined;
  const axes = reduced(trace, node, x, new Set([fromFront(intOf(node, "axis", 0), x.length)]), false);
  return [{ axes: axes.map(lost) }];
};

/** An operator along one axis: what it goes along stays. */
const along =
  (fallback: number): Rule =>
  (trace, node) => {
    const x = axesAt(trace, node, 0);
    const axis = node.inputs[1] ? numbersAt(trace, node, 1)?.[0] : intOf(node, "axis", fallback);
    if (!x || axis === undefined) return undefined;
    pinAxis(trace, x[fromFront(axis, x.length)], stopAt(node, "it goes along the axis"));
    return [{ axes: x.map((each) => each) }];
  };

export const norms: Rules = {
  BatchNormalization: channelNorm,
  InstanceNormalization: (trace, node) => {
    for (const axis of axesAt(trace, node, 0)?.slice(2) ?? []) pinAxis(trace, axis, stopAt(node, TOGETHER));
    return channelNorm(trace, node);
  },
  LayerNormalization: lastNorm("its mean and deviation take the whole axis together"),
  RMSNormalization: lastNorm("its mean square takes the whole axis together"),
  LpNormalization: lastNorm("its norm takes the whole axis together"),
  SimplifiedLayerNormalization: lastNorm("its mean square takes the whole axis together"),
  ...all("Softmax LogSoftmax Hardmax", softmax),
  ...all("ReduceSum ReduceL1 ReduceL2 ReduceSumSquare", reduce(true)),
  ...all("ReduceMean ReduceMax ReduceMin ReduceProd", reduce(false)),
  ...all("ReduceLogSum ReduceLogSumExp", (trace, node) =>
    reduce(false)(trace, node)?.map(({ axes }) => ({ axes: axes!.map(lost) })),
  ),
  ...all("ArgMax ArgMin", pick),
  CumSum: along(0),
};
export const fusedNorms: Rules = {
  SkipLayerNormalization: skipNorm,
  SkipSimplifiedLayerNormalization: skipNorm,
};
