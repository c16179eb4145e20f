import { EspalierError } from "../errors.ts";
import type { FloatSource } from "../pass-kernels.ts";
import { arrayLengthOf, type DataType, isLazy, readData, type Tensor, tensor } from "../tensor.ts";
import { fromBfloat16, toBfloat16 } from "./bfloat16.ts";
import { halfValue, toHalf } from "./half.ts";

/** Element types whose values float32 holds, or comes nearest to. */
export type FloatType = "float32" | "float16" | "bfloat16" | "float64";

/** True for the element types that weights are computed in. */
export const isFloatType = (type: DataType): type is FloatType =>
  type === "float32" || type === "float16" || type === "bfloat16" || type === "float64";

const notFloat = ({ type }: Tensor) =>
  new EspalierError("BAD_TENSOR", "core/floats", `a ${type} tensor holds no floats. Give one of a float type.`);

/**
 * The values of a float tensor as float32, in its own order; read if need be and not kept by the tensor. Those of a
 * float32 tensor are its own data: copy them before you change them.
 *
 * @throws EspalierError `BAD_TENSOR` for other element types
 */
export const floatValues = async (t: Tensor): Promise<Float32Array> => {
  if (!isFloatType(t.type)) throw notFloat(t);
  const data = await readData(t);
  if (t.type === "float16") return Float32Array.from(data as Uint16Array, halfValue);
  if (t.type === "bfloat16") return fromBfloat16(data as Uint16Array);
  return t.type === "float64" ? Float32Array.from(data as Float64Array) : (data as Float32Array);
};

/** The values of a float32 tensor, copied from its file as they are wanted; undefined where that cannot be. */
export const floatSource = (t: Tensor): FloatSource | undefined => {
  const copyTo = isLazy(t) ? t.copyTo : undefined;
  if (!copyTo || t.type !== "float32") return undefined;
  return {
    length: arrayLengthOf(t.type, t.dims),
    copyTo: ({ buffer, byteOffset, byteLength, BYTES_PER_ELEMENT }, start) =>
      copyTo(new Uint8Array(buffer, byteOffset, byteLength), start * BYTES_PER_ELEMENT),
  };
};

/**
 * A tensor of a float type from float32 values, each rounded to the nearest, halves to even; beyond the largest of the
 * type, infinity. Float32 values are taken as they are, without a copy.
 *
 * @throws EspalierError `BAD_TENSOR` when there are not as many values as `dims` say
 */
export const floatTensor = (type: FloatType, dims: readonly number[], values: Float32Array): Tensor => {
  const single = tensor("float32", dims, values);
  if (type === "float16") return tensor(type, dims, toHalf(values));
  if (type === "bfloat16") return tensor(type, dims, toBfloat16(values));
  return type === "float64" ? tensor(type, dims, Float64Array.from(values)) : single;
};
