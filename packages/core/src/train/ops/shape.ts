import { constantValue } from "../../graph.ts";
import { sizeOf, tensor } from "../../tensor.ts";
import {
  axisOf,
  type Call,
  dims,
  given,
  has,
  int,
  integers,
  ints,
  isImage,
  numbers,
  type Operator,
  string,
  unsupported,
  x,
} from "../call.ts";
import type { Tf, TfTensor } from "../tf.ts";
import { channelsLast, fitsImage, host, lastOnDevice } from "../value.ts";
import { pad } from "./pad.ts";

const int64s = (values: readonly number[]) =>
  host(tensor("int64", [values.length], BigInt64Array.from(values.map(BigInt))));

const reshape: Operator = (call) => {
  const a = x(call);
  const asked = integers(call, "shape", 1) ?? [];
  const zeroCopies = int(call, "allowzero", 0) === 0;
  return call.tf.reshape(
    a,
    asked.map((dim, i) => (dim === 0 && zeroCopies ? a.shape[i] : dim)),
  );
};

const flatten: Operator = (call) => {
  const a = x(call);
  const axis = axisOf(int(call, "axis", 1), a.rank);
  const rows = sizeOf(a.shape.slice(0, axis));
  return call.tf.reshape(a, [rows, sizeOf(a.shape.slice(axis))]);
};

const squeeze: Operator = (call) => {
  const a = x(call);
  const axes = integers(call, "axes", 1)?.map((axis) => axisOf(axis, a.rank));
  return call.tf.reshape(
    a,
    a.shape.filter((dim, i) => (axes ? !axes.includes(i) : dim !== 1)),
  );
};

const unsqueeze: Operator = (call) => {
  const a = x(call);
  const asked = integers(call, "axes", 1) ?? [];
  const rank = a.rank + asked.length;
  const places = new Set(asked.map((axis) => axisOf(axis, rank)));
  const rest = [...a.shape];
  return call.tf.reshape(
    a,
    Array.from({ length: rank }, (_, i) => (places.has(i) ? 1 : (rest.shift() ?? 1))),
  );
};

const transpose: Operator = (call) => {
  const a = x(call);
  return call.tf.transpose(a, ints(call, "perm") ?? a.shape.map((_, i) => a.rank - 1 - i));
};

const concat: Operator = (call) => {
  const { tf } = call;
  const places = call.node.inputs.flatMap((_, i) => (has(call, i) ? [i] : []));
  const values = places.map((i) => given(call, i));
  const rank = dims(call, places[0]).length;
  const axis = axisOf(int(call, "axis", 1), rank);
  if (rank === 4 && axis === 1 && places.some((i) => isImage(call, i)) && values.every(fitsImage))
    return channelsLast(
      tf.concat(
        values.map((value) => lastOnDevice(tf, value)),
        3,
      ),
    );
  return tf.concat(
    places.map((i) => x(call, i)),
    axis,
  );
};

const split: Operator = (call) => {
  const a = x(call);
  const axis = axisOf(int(call, "axis", 0), a.rank);
  const count = int(call, "num_outputs", call.node.outputs.length);
  const each = Math.ceil(a.shape[axis] / count);
  const even = Array.from({ length: count }, (_, i) => Math.min(each, a.shape[axis] - each * i));
  return call.tf.split(a, integers(call, "split", 1) ?? even, axis);
};

/** Every `step`-th element of an axis from the first on, with a gradient: pad to whole steps, cut the first of each. */
export const everyNth = (tf: Tf, a: TfTensor, axis: number, step: number): TfTensor => {
  if (step === 1) return a;
  const { shape } = a;
  const count = Math.ceil(shape[axis] / step);
  const flat: TfTensor = tf.reshape(a, [sizeOf(shape.slice(0, axis)), shape[axis], sizeOf(shape.slice(axis + 1))]);
  const whole = tf.pad(flat, [
    [0, 0],
    [0, count * step - shape[axis]],
    [0, 0],
  ]);
  const steps = tf.reshape(whole, [flat.shape[0], count, step, flat.shape[2]]);
  const first = tf.slice(steps, [0, 0, 0, 0], [-1, -1, 1, -1]);
  return tf.reshape(
    first,
    shape.map((dim, i) => (i === axis ? count : dim)),
  );
};

const slice: Operator = (call) => {
  const { tf } = call;
  let a = x(call);
  const starts = integers(call, "starts", 1) ?? [];
  const ends = integers(call, "ends", 2) ?? [];
  const axes = integers(call, "axes", 3) ?? starts.map((_, i) => i);
  const steps = numbers(call, 4) ?? starts.map(() => 1);
  for (const [i, given] of axes.entries()) {
    const axis = axisOf(given, a.rank);
    const [length, step] = [a.shape[axis], steps[i]];
    const place = (at: number, low: number, high: number) => Math.max(low, Math.min(high, at < 0 ? at + length : at));
    const [start, end] =
      step > 0
        ? [place(starts[i], 0, length), place(ends[i], 0, length)]
        : [place(starts[i], 0, length - 1), place(ends[i], -1, length - 1)];
    const [from, size] = step > 0 ? [start, Math.max(0, end - start)] : [end + 1, Math.max(0, start - end)];
    const begin = a.shape.map((_, j) => (j === axis ? from : 0));
    const part = tf.slice(
      a,
      begin,
      a.shape.map((dim, j) => (j === axis ? size : dim)),
    );
    a = everyNth(tf, step < 0 ? tf.reverse(part, axis) : part, axis, Math.abs(step));
  }
  return a;
};

/** The shape that two broadcast to. */
const broadcast = (a: readonly number[], b: readonly number[]): number[] => {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [m, n] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    return m === 1 ? n : m;
  });
};

const expand: Operator = (call) => {
  const a = x(call);
  const shape = broadcast(a.shape, numbers(call, 1) ?? []);
  const float = a.dtype === "bool" ? call.tf.cast(a, "int32") : a;
  return call.tf.cast(call.tf.broadcastTo(float, shape), a.dtype);
};

const tile: Operator = (call) => call.tf.tile(x(call), numbers(call, 1) ?? []);

const constantOfShape: Operator = (call) => {
  const value = call.node.attributes.get("value");
  const one = value?.kind === "tensor" ? value.value : tensor("float32", [1], Float32Array.of(0));
  const dims = numbers(call, 0) ?? [];
  const from = one.data.constructor as unknown as { new (length: number): { fill(v: unknown): typeof one.data } };
  return host(tensor(one.type, dims, new from(sizeOf(dims)).fill(one.data[0])));
};

/** [n, b·b·c, h, w] -> [n, c, h·b, w·b] */
const depthToSpace: Operator = (call) => {
  const { tf } = call;
  const [a, b] = [x(call), int(call, "blocksize", 1)];
  const [n, c, h, w] = a.shape;
  const out = c / (b * b);
  const columns = string(call, "mode", "DCR") === "CRD";
  const parts = tf.reshape(a, columns ? [n, out, b, b, h, w] : [n, b, b, out, h, w]);
  return tf.reshape(tf.transpose(parts, columns ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2]), [n, out, h * b, w * b]);
};

/** [n, c, h·b, w·b] -> [n, b·b·c, h, w] */
const spaceToDepth: Operator = (call) => {
  const { tf } = call;
  const [a, b] = [x(call), int(call, "blocksize", 1)];
  const [n, c, h, w] = a.shape;
  const parts = tf.reshape(a, [n, c, h / b, b, w / b, b]);
  return tf.reshape(tf.transpose(parts, [0, 3, 5, 1, 2, 4]), [n, c * b * b, h / b, w / b]);
};

const trilu: Operator = (call) => {
  const a = x(call);
  const [k, upper] = [numbers(call, 1)?.[0] ?? 0, int(call, "upper", 1) !== 0];
  const [rows, columns] = a.shape.slice(-2);
  const kept = Float32Array.from({ length: rows * columns }, (_, i) => {
    const offset = (i % columns) - Math.floor(i / columns);
    return (upper ? offset >= k : offset <= k) ? 1 : 0;
  });
  const mask = call.tf.tensor2d(kept, [rows, columns]);
  return call.tf.cast(call.tf.mul(a, mask), a.dtype);
};

const oneHot: Operator = (call) => {
  const { tf } = call;
  const indices = x(call);
  const depth = numbers(call, 1)?.[0] ?? 0;
  const values = x(call, 2);
  const axis = axisOf(int(call, "axis", -1), indices.rank + 1);
  const whole = tf.cast(indices, "int32");
  const positive = tf.add(
    whole,
    tf.mul(tf.cast(tf.less(whole, tf.scalar(0, "int32")), "int32"), tf.scalar(depth, "int32")),
  );
  const hot = tf.cast(tf.oneHot(positive as never, depth), "float32");
  const [off, on] = tf.split(tf.cast(values, "float32"), 2);
  const coded = tf.add(tf.mul(hot, tf.sub(on, off)), off);
  const order = Array.from({ length: indices.rank }, (_, i) => i);
  order.splice(axis, 0, indices.rank);
  return tf.transpose(coded, order);
};

const eyeLike: Operator = (call) => {
  const [rows, columns] = dims(call);
  const k = int(call, "k", 0);
  const eye = Float32Array.from({ length: rows * columns }, (_, i) =>
    (i % columns) - Math.floor(i / columns) === k ? 1 : 0,
  );
  return call.tf.tensor2d(eye, [rows, columns]);
};

const constant: Operator = (call) => {
  const value = constantValue(call.node);
  if (value === undefined) throw unsupported(call, "is sparse. Make it dense.");
  return host(value);
};

const shape: Operator = (call: Call) => {
  const end = call.node.attributes.has("end") ? int(call, "end", 0) : undefined;
  return int64s(dims(call).slice(int(call, "start", 0), end));
};

export const shapes: Readonly<Record<string, Operator>> = {
  Concat: concat,
  Constant: constant,
  ConstantOfShape: constantOfShape,
  DepthToSpace: depthToSpace,
  Expand: expand,
  EyeLike: eyeLike,
  Flatten: flatten,
  OneHot: oneHot,
  Pad: pad,
  Reshape: reshape,
  Shape: shape,
  Size: (call) => host(tensor("int64", [], BigInt64Array.of(BigInt(sizeOf(dims(call)))))),
  Slice: slice,
  SpaceToDepth: spaceToDepth,
  Split: split,
  Squeeze: squeeze,
  Tile: tile,
  Transpose: transpose,
  Trilu: trilu,
  Unsqueeze: unsqueeze,
};
