import { sizeOf } from "../../tensor.ts";
import type { Tf, TfTensor } from "../tf.ts";
import { type KernelGradient, ofInput } from "./gradient.ts";

const axesOf = (asked: unknown, rank: number): number[] => {
  const axes = asked === undefined || asked === null ? Array.from({ length: rank }, (_, i) => i) : [asked].flat();
  return (axes as number[]).map((axis) => (axis < 0 ? axis + rank : axis));
};

/** What a reduction left, with axes of length 1 where it reduced. */
const kept = (tf: Tf, reduced: TfTensor, x: TfTensor, axes: readonly number[]): TfTensor =>
  tf.reshape(
    reduced,
    x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim)),
  );

const spread = (tf: Tf, dy: TfTensor, x: TfTensor, axes: readonly number[]) =>
  tf.broadcastTo(kept(tf, dy, x, axes), x.shape);

/** Those that are the extreme share nothing: each of equal ones gets the whole gradient, as in TensorFlow.js. */
const extreme: KernelGradient = {
  inputs: ["x"],
  output: true,
  of: (tf, dy, [x, y], { reductionIndices, axis }) => ({
    x: () => {
      const axes = axesOf(reductionIndices ?? axis, x.rank);
      return tf.mul(kept(tf, dy, x, axes), tf.cast(tf.equal(x, kept(tf, y, x, axes)), "float32"));
    },
  }),
};

export const reductions: Readonly<Record<string, KernelGradient>> = {
  Sum: ofInput((tf, dy, x, { axis }) => spread(tf, dy, x, axesOf(axis, x.rank))),
  Mean: ofInput((tf, dy, x, { axis }) => {
    const axes = axesOf(axis, x.rank);
    return tf.div(spread(tf, dy, x, axes), sizeOf(axes.map((i) => x.shape[i])));
  }),
  Max: extreme,
  Min: extreme,
  /** The product of all the others: of those before times those behind, so that zeros are no trouble. */
  Prod: ofInput((tf, dy, x, { axis }) => {
    const axes = axesOf(axis, x.rank);
    const rest = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
    const order = [...rest, ...axes];
    const rows = tf.reshape(tf.transpose(x, order), [-1, sizeOf(axes.map((i) => x.shape[i]))]);
    const before = tf.cumprod(rows, 1, true);
    const behind = tf.cumprod(rows, 1, true, true);
    const others = tf.reshape(
      tf.mul(before, behind),
      order.map((i) => x.shape[i]),
    );
    const back = order.map((_, i) => order.indexOf(i));
    return tf.mul(spread(tf, dy, x, axes), tf.transpose(others, back));
  }),
  Cumsum: {
    of: (tf, dy, _, { axis, exclusive, reverse }) => ({
      x: () => tf.cumsum(dy, axis as number, exclusive as boolean, !(reverse as boolean)),
    }),
  },
  Softmax: {
    output: true,
    of: (tf, dy, [y]) => ({
      logits: () => {
        const weighed = tf.mul(dy, y);
        return tf.sub(weighed, tf.mul(tf.sum(weighed, -1, true), y));
      },
    }),
  },
  LogSoftmax: {
    output: true,
    of: (tf, dy, [y]) => ({ logits: () => tf.sub(dy, tf.mul(tf.sum(dy, -1, true), tf.exp(y))) }),
  },
};
