import { readData, type Tensor } from "@espalier/core";
import { halfValue } from "../grid/half.ts";

/** The values of a float32 or float16 tensor as float32, in the file's order; read if need be and not kept. */
export const floatValues = async (tensor: Tensor): Promise<Float32Array> => {
  const data = await readData(tensor);
  return tensor.type === "float16" ? Float32Array.from(data as Uint16Array, halfValue) : (data as Float32Array);
};

/** True when no value is infinite or NaN: 0 times those is NaN. */
export const allFinite = (values: Float32Array): boolean => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0;
  return sum === 0;
};
