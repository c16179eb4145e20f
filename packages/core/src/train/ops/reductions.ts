import { axisOf, type Call, int, integers, numbers, type Operator, unsupported, x } from "../call.ts";
import type { Tf, TfTensor } from "../tf.ts";
import { takeAlong } from "./take.ts";

type Reduce = (tf: Tf, a: TfTensor, axes: number[], keep: boolean) => TfTensor;

const reduce =
  (f: Reduce): Operator =>
  (call) => {
    const a = x(call);
    const axes = integers(call, "axes", 1)?.map((axis) => axisOf(axis, a.rank));
    const keep = int(call, "keepdims", 1) !== 0;
    const all = axes === undefined || axes.length === 0;
    if (all && int(call, "noop_with_empty_axes", 0) !== 0) return a;
    return f(call.tf, a, all ? a.shape.map((_, i) => i) : axes, keep);
  };

const arg =
  (f: "argMax" | "argMin"): Operator =>
  (call) => {
    const { tf } = call;
    const a = x(call);
    const axis = axisOf(int(call, "axis", 0), a.rank);
    const last = int(call, "select_last_index", 0) !== 0;
    const found = tf[f](last ? tf.reverse(a, axis) : a, axis);
    const index = last ? tf.sub(tf.scalar(a.shape[axis] - 1, "int32"), found) : found;
    return int(call, "keepdims", 1) === 0 ? index : tf.expandDims(index, axis);
  };

const cumSum: Operator = (call) => {
  const axis = numbers(call, 1)?.[0] ?? 0;
  const a = x(call);
  return call.tf.cumsum(a, axisOf(axis, a.rank), int(call, "exclusive", 0) !== 0, int(call, "reverse", 0) !== 0);
};

const moveLast = (rank: number, axis: number): number[] => {
  const order = Array.from({ length: rank }, (_, i) => i);
  [order[axis], order[rank - 1]] = [rank - 1, axis];
  return order;
};

const topK: Operator = (call: Call) => {
  const { tf } = call;
  const k = integers(call, "k", 1)?.[0] ?? int(call, "k", 0);
  const a = x(call);
  if (a.rank === 0 || k < 1) throw unsupported(call, `asks for ${k} of ${a.rank} axes. Correct the model.`);
  const order = moveLast(a.rank, axisOf(int(call, "axis", -1), a.rank));
  const rows = tf.transpose(a, order);
  const { indices } = tf.topk(int(call, "largest", 1) === 0 ? tf.neg(rows) : rows, k, true);
  return [tf.transpose(takeAlong(tf, rows, indices, a.rank - 1), order), tf.transpose(indices, order)];
};

export const reductions: Readonly<Record<string, Operator>> = {
  ArgMax: arg("argMax"),
  ArgMin: arg("argMin"),
  CumSum: cumSum,
  ReduceL1: reduce((tf, a, axes, keep) => tf.sum(tf.abs(a), axes, keep)),
  ReduceL2: reduce((tf, a, axes, keep) => tf.sqrt(tf.sum(tf.square(a), axes, keep))),
  ReduceLogSum: reduce((tf, a, axes, keep) => tf.log(tf.sum(a, axes, keep))),
  ReduceLogSumExp: reduce((tf, a, axes, keep) => tf.logSumExp(a, axes, keep)),
  ReduceMax: reduce((tf, a, axes, keep) => tf.max(a, axes, keep)),
  ReduceMean: reduce((tf, a, axes, keep) => tf.mean(a, axes, keep)),
  ReduceMin: reduce((tf, a, axes, keep) => tf.min(a, axes, keep)),
  ReduceProd: reduce((tf, a, axes, keep) => tf.prod(a, axes, keep)),
  ReduceSum: reduce((tf, a, axes, keep) => tf.sum(a, axes, keep)),
  ReduceSumSquare: reduce((tf, a, axes, keep) => tf.sum(tf.square(a), axes, keep)),
  TopK: topK,
};
