import { floatsOf } from "../../attrs.ts";
import { axisOf, type Call, dims, float, int, ints, numbers, type Operator, string, unsupported, x } from "../call.ts";
import type { Tf, TfTensor } from "../tf.ts";

interface Axis {
  readonly size: number;
  readonly out: number;
  readonly scale: number;
  /** Region of interest, as shares of the axis. */
  readonly roi: readonly [number, number];
}

type Coordinate = (at: number, axis: Axis) => number;

/** Where in the source a place of the result lies. Source: ONNX, Resize, coordinate_transformation_mode. */
const COORDINATES: Readonly<Record<string, Coordinate>> = {
  half_pixel: (at, { scale }) => (at + 0.5) / scale - 0.5,
  half_pixel_symmetric: (at, { size, out, scale }) => {
    const adjustment = out / (scale * size);
    return (size / 2) * (1 - adjustment) + (at + 0.5) / scale - 0.5;
  },
  pytorch_half_pixel: (at, { out, scale }) => (out > 1 ? (at + 0.5) / scale - 0.5 : 0),
  align_corners: (at, { size, out }) => (out === 1 ? 0 : (at * (size - 1)) / (out - 1)),
  asymmetric: (at, { scale }) => at / scale,
  tf_crop_and_resize: (at, { size, out, roi: [start, end] }) =>
    out > 1 ? start * (size - 1) + (at * (end - start) * (size - 1)) / (out - 1) : 0.5 * (start + end) * (size - 1),
};

const NEAREST: Readonly<Record<string, (at: number) => number>> = {
  round_prefer_floor: (at) => Math.ceil(at - 0.5),
  round_prefer_ceil: (at) => Math.floor(at + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** Weights of the four neighbours. Source: Keys 1981, doi:10.1109/TASSP.1981.1163711. */
const cubicWeights = (t: number, a: number): number[] => {
  const near = (d: number) => ((a + 2) * d - (a + 3)) * d * d + 1;
  const far = (d: number) => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return [far(1 + t), near(t), near(1 - t), far(2 - t)];
};

/** Rows of the matrix [out, size] that an axis is multiplied by. */
const matrixOf = (call: Call, axis: Axis): Float32Array => {
  const mode = string(call, "mode", "nearest");
  const transform = string(
    call,
    "coordinate_transformation_mode",
    call.node.opType === "Upsample" ? "asymmetric" : "half_pixel",
  );
  const coordinate = COORDINATES[transform];
  const round = NEAREST[string(call, "nearest_mode", call.node.opType === "Upsample" ? "floor" : "round_prefer_floor")];
  if (!coordinate || !round || !["nearest", "linear", "cubic"].includes(mode))
    throw unsupported(call, `has mode "${mode}" and "${transform}". Choose others, or train the rest with it frozen.`);
  const { size, out } = axis;
  const exclude = int(call, "exclude_outside", 0) !== 0;
  const outside = float(call, "extrapolation_value", 0);
  const matrix = new Float32Array(out * size);
  for (let o = 0; o < out; o++) {
    const at = coordinate(o, axis);
    if (transform === "tf_crop_and_resize" && (at < 0 || at > size - 1)) {
      if (outside !== 0) throw unsupported(call, `has extrapolation_value ${outside}. Only 0 is differentiated.`);
      continue;
    }
    const add = (place: number, weight: number) => {
      const inside = Math.max(0, Math.min(size - 1, place));
      matrix[o * size + inside] += weight;
    };
    if (mode === "nearest") {
      add(round(at), 1);
      continue;
    }
    if (mode === "linear") {
      // linear weights are those of the nearest place inside
      const within = Math.max(0, Math.min(size - 1, at));
      const low = Math.floor(within);
      add(low, 1 - (within - low));
      add(low + 1, within - low);
      continue;
    }
    const low = Math.floor(at);
    const weights = cubicWeights(at - low, float(call, "cubic_coeff_a", -0.75));
    const places = weights.map((_, i) => low - 1 + i);
    const kept = weights.map((weight, i) => (exclude && (places[i] < 0 || places[i] >= size) ? 0 : weight));
    const sum = exclude ? kept.reduce((all, weight) => all + weight, 0) : 1;
    for (const [i, place] of places.entries()) add(place, kept[i] / sum);
  }
  return matrix;
};

/** One axis multiplied by a matrix [out, size]. */
const alongAxis = (tf: Tf, a: TfTensor, axis: number, matrix: Float32Array, out: number): TfTensor => {
  const order = a.shape.map((_, i) => i);
  [order[axis], order[a.rank - 1]] = [a.rank - 1, axis];
  const moved = axis === a.rank - 1 ? a : tf.transpose(a, order);
  const size = a.shape[axis];
  const made = tf.matMul(tf.reshape(moved, [-1, size]), tf.tensor2d(matrix, [out, size]), false, true);
  const shaped = tf.reshape(made, [...moved.shape.slice(0, -1), out]);
  return axis === a.rank - 1 ? shaped : tf.transpose(shaped, order);
};

const resize: Operator = (call) => {
  const { tf } = call;
  const shape = dims(call);
  const rank = shape.length;
  if (int(call, "antialias", 0) !== 0) throw unsupported(call, "smooths what it shrinks (antialias). Leave that out.");
  const old = call.node.opType === "Upsample" || call.scope.opset < 11;
  const axes = ints(call, "axes")?.map((axis) => axisOf(axis, rank)) ?? shape.map((_, i) => i);
  const some = (values: number[] | undefined) => (values && values.length > 0 ? values : undefined);
  const scales = some(numbers(call, old ? 1 : 2) ?? [...(floatsOf(call.node, "scales") ?? [])]);
  const sizes = old ? undefined : some(numbers(call, 3));
  const roi = old ? undefined : some(numbers(call, 1));
  const policy = string(call, "keep_aspect_ratio_policy", "stretch");
  const ratios = axes.map((axis, i) => (sizes ? sizes[i] / shape[axis] : (scales?.[i] ?? 1)));
  const common = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  return axes.reduce((a, axis, i) => {
    const size = shape[axis];
    const kept = sizes !== undefined && policy !== "stretch";
    const scale = kept ? common : ratios[i];
    const out = kept ? Math.floor(common * size + 0.5) : sizes ? sizes[i] : Math.floor(size * scale);
    const region = [roi?.[i] ?? 0, roi?.[axes.length + i] ?? 1] as const;
    if (out === size && scale === 1 && roi === undefined) return a;
    return alongAxis(tf, a, axis, matrixOf(call, { size, out, scale, roi: region }), out);
  }, x(call));
};

export const resizes: Readonly<Record<string, Operator>> = { Resize: resize, Upsample: resize };
