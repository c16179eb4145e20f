import { axisOf, type Call, dims, given, has, int, type Operator, x } from "../call.ts";
import { roundThrough } from "../straight-through.ts";
import type { TfTensor } from "../tf.ts";

/** Scales or zero points as they broadcast to the input: for all, along an axis, or by blocks of one. */
const spread = (call: Call, v: TfTensor): TfTensor => {
  const { tf } = call;
  const shape = dims(call);
  if (v.size === 1) return tf.reshape(v, []);
  const axis = axisOf(int(call, "axis", 1), shape.length);
  const block = int(call, "block_size", 0);
  if (block === 0)
    return tf.reshape(
      v,
      shape.map((dim, i) => (i === axis ? dim : 1)),
    );
  const split = [...v.shape.slice(0, axis + 1), 1, ...v.shape.slice(axis + 1)];
  const reps = split.map((_, i) => (i === axis + 1 ? block : 1));
  const long = v.shape.map((dim, i) => (i === axis ? dim * block : dim));
  return tf.slice(
    tf.reshape(tf.tile(tf.reshape(v, split), reps), long),
    shape.map(() => 0),
    [...shape],
  );
};

const zeroPoint = (call: Call): TfTensor | number =>
  has(call, 2) ? spread(call, call.tf.cast(x(call, 2), "float32")) : 0;

/** (codes - zero point) · scale */
const dequantize: Operator = (call) => {
  const { tf } = call;
  return tf.mul(tf.sub(tf.cast(x(call), "float32"), zeroPoint(call)), spread(call, x(call, 1)));
};

const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

/** Codes as floats, with the straight-through gradient: that of the identity inside the range. */
const quantize: Operator = (call) => {
  const { tf } = call;
  const point = has(call, 2) ? given(call, 2) : undefined;
  const type = point?.kind === "host" ? point.tensor.type : "uint8";
  const [low, high] = RANGES[type] ?? RANGES.uint8;
  const scaled = roundThrough(tf, tf.div(x(call), spread(call, x(call, 1))));
  return tf.clipByValue(tf.add(scaled, zeroPoint(call)), low, high);
};

export const quantized: Readonly<Record<string, Operator>> = {
  DequantizeLinear: dequantize,
  QuantizeLinear: quantize,
};
