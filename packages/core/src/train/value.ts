import { EspalierError } from "../errors.ts";
import { numbersOf } from "../measure/numbers.ts";
import { isFloatType } from "../numeric/floats.ts";
import type { Tensor } from "../tensor.ts";
import type { Tf, TfTensor } from "./tf.ts";

/**
 * What stands behind a name while a graph runs. Shapes, indices and integers stay on the host, where operators can look
 * at them; everything that has a gradient is a tensor of TensorFlow.js. Images that come out of a convolution are kept
 * channels last ([N, H, W, C] in `tensor`) until an operator asks for them as ONNX has them.
 */
export type Value =
  | { readonly kind: "host"; readonly tensor: Tensor }
  | { readonly kind: "device"; readonly tensor: TfTensor; readonly last?: boolean };

export const host = (tensor: Tensor): Value => ({ kind: "host", tensor });
export const device = (tensor: TfTensor): Value => ({ kind: "device", tensor });
/** An image, [N, H, W, C], of what ONNX calls [N, C, H, W]. */
export const channelsLast = (tensor: TfTensor): Value => ({ kind: "device", tensor, last: true });

const TO_LAST = [0, 2, 3, 1];
const TO_FIRST = [0, 3, 1, 2];
const IMAGE_RANK = 4;
const INT32_MAX = 2 ** 31 - 1;

const int32s = (values: ArrayLike<number>): Int32Array =>
  Int32Array.from(values, (value) => Math.max(-INT32_MAX - 1, Math.min(INT32_MAX, value)));

/** A tensor of TensorFlow.js with the values of `t`: floats as float32, integers as int32 (clamped), booleans. */
export const toDevice = (tf: Tf, t: Tensor): TfTensor => {
  const dims = [...t.dims];
  if (isFloatType(t.type)) return tf.tensor(numbersOf(t) as Float32Array, dims, "float32");
  if (t.type === "bool") return tf.tensor(t.data as Uint8Array, dims, "bool");
  if (t.type === "string")
    throw new EspalierError("UNSUPPORTED", "core/train", "strings have no gradient. Cut them out of the model.");
  return tf.tensor(int32s(numbersOf(t)), dims, "int32");
};

/** Dims as ONNX has them. */
export const dimsOf = ({ kind, tensor, ...value }: Value): readonly number[] => {
  if (kind === "host") return (tensor as Tensor).dims;
  const { shape } = tensor as TfTensor;
  return "last" in value && value.last ? TO_FIRST.map((axis) => shape[axis]) : shape;
};

/** The value as ONNX has it, [N, C, H, W] for images. */
export const onDevice = (tf: Tf, value: Value): TfTensor => {
  if (value.kind === "host") return toDevice(tf, value.tensor);
  return value.last ? tf.transpose(value.tensor, TO_FIRST) : value.tensor;
};

/** The value of at most four axes with the channels last, [N, H, W, C]; axes that it lacks in front are 1. */
export const lastOnDevice = (tf: Tf, value: Value): TfTensor => {
  if (value.kind === "device" && value.last) return value.tensor;
  const x = onDevice(tf, value);
  const missing = IMAGE_RANK - x.rank;
  const image = missing > 0 ? tf.reshape(x, [...Array<number>(missing).fill(1), ...x.shape]) : x;
  const [n, c, h, w] = image.shape;
  // an axis of length 1 moves without its data
  return h * w === 1 || c === 1 ? tf.reshape(image, [n, h, w, c]) : tf.transpose(image, TO_LAST);
};

/** True where a value can be taken channels last beside others that are. */
export const fitsImage = (value: Value): boolean => dimsOf(value).length <= IMAGE_RANK;
export const isLast = (value: Value): boolean => value.kind === "device" && value.last === true;
