import { bitsOf } from "./extremes.ts";

const EXPONENT = 0x7f800000;
/** One in the lowest place of the exponent: added to an exponent of ones, it reaches the sign. */
const ONE = 0x00800000;

/** True when no value is infinite or NaN, whose exponents are all ones. */
export const allFinite = (values: Float32Array): boolean => {
  const bits = bitsOf(values);
  let found = 0;
  for (let i = 0; i < bits.length; i++) found |= (bits[i]! & EXPONENT) + ONE;
  return found >= 0;
};
