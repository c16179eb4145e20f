/** Largest finite float16. Source: IEEE 754 binary16. */
export const LARGEST_HALF = 65504;
/** Smallest float16 with all its bits of precision. */
export const SMALLEST_NORMAL_HALF = 2 ** -14;

/** 2^42 + 1 */
const SPLIT = 2 ** 42 + 1;

const word = new Uint32Array(1);
const single = new Float32Array(word.buffer);

/** Bits of the float16 nearest to x, halves to even; beyond the largest finite, infinity; NaN stays NaN. */
export const halfBits = (x: number): number => {
  single[0] = x;
  const bits = word[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00;
  // 65520 is halfway to the next float16 after the largest.
  if (size >= 0x477ff000) return sign | 0x7c00;
  // Below 2^-14: multiples of 2^-24, which adding 0.5 (last bit 2^-24 in float32) rounds to.
  if (size < 0x38800000) {
    single[0] = Math.abs(x) + 0.5;
    return sign | (word[0]! - 0x3f000000);
  }
  // Exponent bias 127 -> 15, and 13 bits dropped with halves to even.
  return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
};

/** Value of a float16's bits. */
export const halfValue = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
};

/**
 * The float16 nearest to x, halves to even, where float16 holds x with all its bits; elsewhere x as float32.
 * Veltkamp's split: t = x (2^42 + 1), t - (t - x) keeps the upper 53 - 42 = 11 bits.
 */
export const roundToHalf = (x: number): number => {
  const size = Math.abs(x);
  if (!(size >= SMALLEST_NORMAL_HALF && size <= LARGEST_HALF)) return Math.fround(x);
  const t = x * SPLIT;
  return t - (t - x);
};

/** float16 bits of an array of floats. */
export const toHalf = (values: ArrayLike<number>): Uint16Array => {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = halfBits(values[i]!);
  return out;
};

/** Whether every value stays within 2^-11 of itself, relatively, in float16: no overflow and no subnormals. */
export const fitsHalf = (values: ArrayLike<number>): boolean => {
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]!);
    if (size !== 0 && !(size >= SMALLEST_NORMAL_HALF && size <= LARGEST_HALF)) return false;
  }
  return true;
};
