import { sizeOf } from "../../tensor.ts";
import { type Call, dims, image, int, ints, type Operator, unsupported, x } from "../call.ts";
import type { Tf, TfTensor } from "../tf.ts";
import { channelsLast } from "../value.ts";
import { everyNth } from "./shape.ts";
import { type Window, windowOf } from "./window.ts";

/** Lower than any value of a network, and finite: infinities spoil gradients. */
const LOWEST = -3.4e38;
const PLANE = 2;

/** The window with what `ceil_mode` adds behind each axis, and how much of it is not padding. */
const wholeWindow = (call: Call, sizes: readonly number[]) => {
  const window = windowOf(call, sizes, ints(call, "kernel_shape") ?? []);
  const { kernel, strides, dilations, pads } = window;
  const ceil = int(call, "ceil_mode", 0) !== 0;
  const outs = sizes.map((size, i) => {
    const room = size + pads[i][0] + pads[i][1] - (kernel[i] - 1) * dilations[i] - 1;
    const out = (ceil ? Math.ceil(room / strides[i]) : Math.floor(room / strides[i])) + 1;
    // the last window must begin inside the image or the padding before it
    return ceil && (out - 1) * strides[i] >= size + pads[i][0] ? out - 1 : out;
  });
  const padded = pads.map(([before, after], i): [number, number] => {
    const needed = (outs[i] - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - sizes[i] - before;
    return [before, Math.max(after, needed)];
  });
  return { window: { ...window, pads: padded }, asked: pads, outs };
};

/** Parts of a padded image, one for each place of the window: elements that meet there, [N, out…, C]. */
const places = (tf: Tf, a: TfTensor, { kernel, strides, dilations }: Window, outs: readonly number[]): TfTensor[] =>
  Array.from({ length: sizeOf(kernel) }, (_, flat) => {
    let rest = flat;
    const at = kernel.map(() => 0);
    for (let i = kernel.length - 1; i >= 0; i--) {
      at[i] = (rest % kernel[i]) * dilations[i];
      rest = Math.floor(rest / kernel[i]);
    }
    const size = outs.map((out, i) => (out - 1) * strides[i] + 1);
    const part = tf.slice(a, [0, ...at, 0], [a.shape[0], ...size, a.shape[a.rank - 1]]);
    return strides.reduce((made, stride, i) => everyNth(tf, made, i + 1, stride), part);
  });

/** How many elements of the image, or of the image and the padding that was asked for, each window holds. */
const counts = (
  sizes: readonly number[],
  asked: Window["pads"],
  window: Window,
  outs: readonly number[],
  all: boolean,
) => {
  const { kernel, strides, dilations } = window;
  const along = sizes.map((size, i) => {
    const [before, after] = asked[i];
    const [low, high] = all ? [0, before + size + after] : [before, before + size];
    return Array.from({ length: outs[i] }, (_, o) => {
      let count = 0;
      for (let k = 0; k < kernel[i]; k++) {
        const at = o * strides[i] + k * dilations[i];
        if (at >= low && at < high) count++;
      }
      return count;
    });
  });
  return along.reduce((flat, axis) => flat.flatMap((a) => axis.map((b) => a * b)), [1]);
};

type Kind = "max" | "average";

/** The rows or planes that a pool moves over, channels last, and the way back. */
const opened = (call: Call) => {
  const { tf } = call;
  const rank = dims(call).length;
  if (rank === PLANE + 2) return { a: image(call), close: channelsLast };
  const order = Array.from({ length: rank }, (_, i) => i);
  const last = [0, ...order.slice(2), 1];
  const first = [0, rank - 1, ...order.slice(1, -1)];
  return { a: tf.transpose(x(call), last), close: (made: TfTensor) => tf.transpose(made, first) };
};

const pool =
  (kind: Kind): Operator =>
  (call) => {
    const { tf } = call;
    if (call.node.outputs.length > 1 && call.node.outputs[1] !== "")
      throw unsupported(call, "gives indices. They have no gradient here.");
    const sizes = dims(call).slice(2);
    const { window, asked, outs } = wholeWindow(call, sizes);
    const { a, close } = opened(call);
    const around = [[0, 0], ...window.pads.map((p) => [...p]), [0, 0]] as [number, number][];
    const plain = window.pads.every(([before, after]) => before === 0 && after === 0);
    const padded = plain ? a : tf.pad(a, around, kind === "max" ? LOWEST : 0);
    const { kernel, strides, dilations } = window;
    const usual = sizes.length === PLANE && dilations.every((by) => by === 1);
    if (kind === "max") {
      if (!usual) return close(places(tf, padded, window, outs).reduce((m, part) => tf.maximum(m, part)));
      return close(tf.maxPool(padded as never, kernel as never, strides as never, "valid") as TfTensor);
    }
    const size = sizeOf(kernel);
    const mean = usual
      ? (tf.avgPool(padded as never, kernel as never, strides as never, "valid") as TfTensor)
      : tf.div(
          places(tf, padded, window, outs).reduce((sum, part) => tf.add(sum, part)),
          size,
        );
    const held = counts(sizes, asked, window, outs, int(call, "count_include_pad", 0) !== 0);
    if (held.every((count) => count === size)) return close(mean);
    return close(
      tf.mul(
        mean,
        tf.tensor(
          held.map((count) => size / count),
          [1, ...outs, 1],
        ),
      ),
    );
  };

const globally =
  (f: (tf: Tf, a: TfTensor, axes: number[], call: Call) => TfTensor): Operator =>
  (call) => {
    const { tf } = call;
    const { a, close } = opened(call);
    const axes = Array.from({ length: a.rank - 2 }, (_, i) => i + 1);
    return close(f(tf, a, axes, call));
  };

export const pools: Readonly<Record<string, Operator>> = {
  AveragePool: pool("average"),
  GlobalAveragePool: globally((tf, a, axes) => tf.mean(a, axes, true)),
  GlobalLpPool: globally((tf, a, axes, call) => {
    const p = int(call, "p", 2);
    return tf.pow(tf.sum(tf.pow(tf.abs(a), p), axes, true), 1 / p);
  }),
  GlobalMaxPool: globally((tf, a, axes) => tf.max(a, axes, true)),
  MaxPool: pool("max"),
};
