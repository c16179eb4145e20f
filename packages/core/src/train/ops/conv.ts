import { type Call, dims, has, image, int, ints, type Operator, string, unsupported, x } from "../call.ts";
import type { Tf, TfTensor } from "../tf.ts";
import { channelsLast } from "../value.ts";
import { type Window, windowOf } from "./window.ts";

type Pair = [number, number];
const PLANE = 2;

/** A kernel [h, w, in, out] with zeros between its elements: what a dilated one computes, with a gradient. */
const dilated = (tf: Tf, kernel: TfTensor, dilations: readonly number[]): TfTensor => {
  let filled = kernel;
  for (const [axis, by] of dilations.entries()) {
    const { shape } = filled;
    if (by === 1 || shape[axis] === 1) continue;
    const split = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)];
    const around = split.map((_, i): Pair => [0, i === axis + 1 ? by - 1 : 0]);
    const long = shape.map((dim, i) => (i === axis ? dim * by : dim));
    const size = shape.map((dim, i) => (i === axis ? (dim - 1) * by + 1 : dim));
    filled = tf.slice(tf.reshape(tf.pad(tf.reshape(filled, split), around), long), [0, 0, 0, 0], size);
  }
  return filled;
};

/** [out, in, h, w] -> [h, w, in, out] */
const KERNEL = [2, 3, 1, 0];

const conv2d = (tf: Tf, a: TfTensor, weight: TfTensor, groups: number, { strides, dilations, pads }: Window) => {
  const [out, per] = weight.shape;
  const stride = [strides[0], strides[1]] as Pair;
  const around = [[0, 0], [...pads[0]], [...pads[1]], [0, 0]] as [Pair, Pair, Pair, Pair];
  const plain = pads.every(([before, after]) => before === 0 && after === 0);
  if (groups === 1) {
    const kernel = dilated(tf, tf.transpose(weight, KERNEL), dilations);
    return tf.conv2d(a as never, kernel as never, stride, plain ? "valid" : around) as TfTensor;
  }
  const padded = plain ? a : tf.pad(a, around);
  if (per === 1) {
    // [out, 1, h, w] -> [h, w, groups, out / groups]
    const [h, w] = weight.shape.slice(2);
    const kernel = tf.reshape(tf.transpose(tf.reshape(weight, [out, h, w]), [1, 2, 0]), [h, w, groups, out / groups]);
    return tf.depthwiseConv2d(padded as never, dilated(tf, kernel, dilations) as never, stride, "valid") as TfTensor;
  }
  const kernels = tf.split(weight, groups, 0);
  const parts = tf.split(padded, groups, 3).map((part, i) => {
    const kernel = dilated(tf, tf.transpose(kernels[i], KERNEL), dilations);
    return tf.conv2d(part as never, kernel as never, stride, "valid") as TfTensor;
  });
  return tf.concat(parts, 3);
};

/** Axes of length 1 in front, so that a sound is an image of one row. */
const planeWindow = ({ kernel, strides, dilations, pads }: Window): Window => ({
  kernel: [1, ...kernel],
  strides: [1, ...strides],
  dilations: [1, ...dilations],
  pads: [[0, 0], ...pads],
});

const withRow = (tf: Tf, a: TfTensor) => tf.expandDims(a, 2);

const conv3d = (call: Call, window: Window): TfTensor => {
  const { tf } = call;
  const { strides, dilations, pads } = window;
  if (int(call, "group", 1) !== 1 || dilations.some((by) => by !== 1))
    throw unsupported(call, "has groups or dilations in three axes. Train the rest with it frozen.");
  const last = tf.pad(tf.transpose(x(call), [0, 2, 3, 4, 1]), [[0, 0], ...pads.map((p) => [...p] as Pair), [0, 0]]);
  const kernel = tf.transpose(x(call, 1), [2, 3, 4, 1, 0]);
  const made = tf.conv3d(last as never, kernel as never, [...strides] as [number, number, number], "valid") as TfTensor;
  return tf.transpose(has(call, 2) ? tf.add(made, x(call, 2)) : made, [0, 4, 1, 2, 3]);
};

const conv: Operator = (call) => {
  const { tf } = call;
  const [sizes, weightDims] = [dims(call).slice(2), dims(call, 1)];
  const window = windowOf(call, sizes, weightDims.slice(2));
  const groups = int(call, "group", 1);
  if (sizes.length > PLANE) return conv3d(call, window);
  if (sizes.length === PLANE) {
    const made = conv2d(tf, image(call), x(call, 1), groups, window);
    return channelsLast(has(call, 2) ? tf.add(made, x(call, 2)) : made);
  }
  const rows = tf.transpose(withRow(tf, x(call)), [0, 2, 3, 1]);
  const made = conv2d(tf, rows, withRow(tf, x(call, 1)), groups, planeWindow(window));
  const added = has(call, 2) ? tf.add(made, x(call, 2)) : made;
  return tf.squeeze(tf.transpose(added, [0, 3, 1, 2]), [2]);
};

/** The whole of what a kernel spreads an image over, [N, H, W, C], pads cut and what is asked for beyond added. */
const spread = (
  tf: Tf,
  a: TfTensor,
  weight: TfTensor,
  groups: number,
  { strides, dilations, pads }: Window,
  beyond: readonly number[],
) => {
  const [n, h, w] = a.shape;
  const [kh, kw] = weight.shape.slice(2).map((size, i) => (size - 1) * dilations[i] + 1);
  const full: Pair = [(h - 1) * strides[0] + kh, (w - 1) * strides[1] + kw];
  const each = (part: TfTensor, kernel: TfTensor) => {
    // [in, out, h, w] -> [h, w, out, in]
    const filled = dilated(tf, tf.transpose(kernel, [2, 3, 1, 0]), dilations);
    const shape = [n, ...full, kernel.shape[1]] as [number, number, number, number];
    return tf.conv2dTranspose(part as never, filled as never, shape, [strides[0], strides[1]], "valid") as TfTensor;
  };
  const kernels = tf.split(weight, groups, 0);
  const made =
    groups === 1
      ? each(a, weight)
      : tf.concat(
          tf.split(a, groups, 3).map((p, i) => each(p, kernels[i])),
          3,
        );
  const more = pads.map(([, after], i) => Math.max(0, beyond[i] - after));
  const grown = tf.pad(made, [
    [0, 0],
    [0, more[0]],
    [0, more[1]],
    [0, 0],
  ]);
  const size = full.map((length, i) => length - pads[i][0] - pads[i][1] + beyond[i]);
  return tf.slice(grown, [0, pads[0][0], pads[1][0], 0], [n, size[0], size[1], grown.shape[3]]);
};

const convTranspose: Operator = (call) => {
  const { tf } = call;
  const [sizes, weightDims] = [dims(call).slice(2), dims(call, 1)];
  if (sizes.length > PLANE) throw unsupported(call, "has three axes. Train the rest with it frozen.");
  const groups = int(call, "group", 1);
  const window = windowOf(call, sizes, weightDims.slice(2));
  let beyond = ints(call, "output_padding") ?? sizes.map(() => 0);
  const asked = ints(call, "output_shape")?.slice(-sizes.length);
  const auto = string(call, "auto_pad", "NOTSET");
  if (asked || auto.startsWith("SAME")) {
    const { kernel, strides, dilations } = window;
    const pads = sizes.map((size, i): Pair => {
      const full = (size - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 + beyond[i];
      const total = Math.max(0, full - (asked?.[i] ?? size * strides[i]));
      const less = Math.floor(total / 2);
      return auto === "SAME_UPPER" ? [less, total - less] : [total - less, less];
    });
    if (asked)
      beyond = sizes.map((size, i) => {
        const full = (size - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1;
        return asked[i] - (full - pads[i][0] - pads[i][1]);
      });
    Object.assign(window, { pads });
  }
  const bias = (made: TfTensor) => (has(call, 2) ? tf.add(made, x(call, 2)) : made);
  if (sizes.length === PLANE) return channelsLast(bias(spread(tf, image(call), x(call, 1), groups, window, beyond)));
  const rows = tf.transpose(withRow(tf, x(call)), [0, 2, 3, 1]);
  const made = bias(spread(tf, rows, withRow(tf, x(call, 1)), groups, planeWindow(window), [0, ...beyond]));
  return tf.squeeze(tf.transpose(made, [0, 3, 1, 2]), [2]);
};

export const convolutions: Readonly<Record<string, Operator>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
};
