import { fromBfloat16 } from "../numeric/bfloat16.ts";
import { halfValue } from "../numeric/half.ts";
import type { Tensor } from "../tensor.ts";

/**
 * The elements of a tensor as numbers, without a copy where they are numbers already. 64-bit integers are rounded to
 * 53 bits; types that pack several into a byte give their bytes. Strings have no numbers.
 */
export const numbersOf = ({ type, data }: Tensor): ArrayLike<number> => {
  if (type === "float16") return Float32Array.from(data as Uint16Array, halfValue);
  if (type === "bfloat16") return fromBfloat16(data as Uint16Array);
  if (type === "int64" || type === "uint64") return Float64Array.from(data as BigInt64Array, Number);
  return data as Float32Array;
};
