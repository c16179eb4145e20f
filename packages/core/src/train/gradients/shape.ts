import type { TfTensor } from "../tf.ts";
import { type KernelGradient, ofInput, unspread } from "./gradient.ts";

const inverse = (order: readonly number[]) => order.map((_, i) => order.indexOf(i));

const reshaped = (input: string): KernelGradient => ({
  inputs: [input],
  of: (tf, dy, [x]) => ({ [input]: () => tf.reshape(dy, x.shape) }),
});

export const shapes: Readonly<Record<string, KernelGradient>> = {
  BroadcastTo: ofInput((tf, dy, x) => unspread(tf, dy, x.shape)),
  Concat: {
    all: true,
    of: (tf, dy, inputs, { axis }) => {
      const rank = dy.rank;
      const at = ((axis as number) + rank) % rank;
      let start = 0;
      return inputs.map((x) => {
        const begin = x.shape.map((_, i) => (i === at ? start : 0));
        start += x.shape[at];
        return () => tf.slice(dy, begin, x.shape);
      });
    },
  },
  ExpandDims: reshaped("input"),
  Pack: {
    all: true,
    of: (tf, dy, inputs, { axis }) => inputs.map((_, i) => () => tf.unstack(dy, axis as number)[i]),
  },
  PadV2: ofInput((tf, dy, x, { paddings }) =>
    tf.slice(
      dy,
      (paddings as [number, number][]).map(([before]) => before),
      x.shape,
    ),
  ),
  Reshape: reshaped("x"),
  Reverse: { of: (tf, dy, _, { dims }) => ({ x: () => tf.reverse(dy, dims as number[]) }) },
  Slice: ofInput((tf, dy, x, { begin, size }) => {
    const starts = begin as number[];
    const sizes = size as number[];
    const around = x.shape.map((dim, i): [number, number] => {
      const length = sizes[i] === -1 ? dim - starts[i] : sizes[i];
      return [starts[i], dim - starts[i] - length];
    });
    return tf.pad(dy, around);
  }),
  SplitV: { of: (tf, _, _saved, { axis }, dys) => ({ x: () => tf.concat([...dys], axis as number) }) },
  Tile: ofInput((tf, dy, x, { reps }) => {
    // [reps, dim] of each axis, summed over the repetitions
    const times = reps as number[];
    const split = tf.reshape(
      dy,
      x.shape.flatMap((dim, i) => [times[i], dim]),
    );
    return tf.reshape(
      tf.sum(
        split,
        x.shape.map((_, i) => 2 * i),
      ),
      x.shape,
    );
  }),
  Transpose: { of: (tf, dy, _, { perm }) => ({ x: () => tf.transpose(dy, inverse(perm as number[])) }) },
  Unpack: {
    of: (tf, _, _saved, { axis }, dys) => ({ value: (): TfTensor => tf.stack([...dys], axis as number) }),
  },
};
