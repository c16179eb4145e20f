/** Largest finite float16. Source: IEEE 754 binary16. */
export const LARGEST_HALF = 65504;
/** Smallest float16 with all its bits of precision. */
export const SMALLEST_NORMAL_HALF = 2 ** -14;

/** 2^42 + 1 */
const SPLIT = 2 ** 42 + 1;

const word = new Uint32Array(1);
const single = new Float32Array(word.buffer);

/** 65520, halfway to the next float16 after the largest, as float32 bits. */
const OVERFLOW = 0x477ff000;
/** 2^-14 and 0.5 as float32 bits. */
const SMALLEST_NORMAL = 0x38800000;
const HALF_ONE = 0x3f000000;
const INFINITY_BITS = 0x7f800000;
/** What takes an exponent of bias 127 to one of bias 15. */
const REBIAS = 0x38000000;

/** float16 bits of a float32's bits, halves to even; beyond the largest finite, infinity; NaN stays NaN. */
const halfOfBits = (bits: number): number => {
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size >= OVERFLOW) return sign | (size > INFINITY_BITS ? 0x7e00 : 0x7c00);
  if (size < SMALLEST_NORMAL) {
    // Multiples of 2^-24: adding 0.5, whose last bit in float32 is 2^-24, rounds to them.
    word[0] = size;
    single[0] = single[0]! + 0.5;
    return sign | (word[0]! - HALF_ONE);
  }
  // 13 bits are dropped, halves to even.
  return sign | ((size - REBIAS + 0xfff + ((size >>> 13) & 1)) >>> 13);
};

/** Bits of the float16 nearest to x, halves to even; beyond the largest finite, infinity; NaN stays NaN. */
export const halfBits = (x: number): number => {
  single[0] = x;
  return halfOfBits(word[0]!);
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
export const toHalf = (values: Float32Array): Uint16Array => {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = halfOfBits(bits[i]!);
  return out;
};

/** 65504 as float32 bits. */
const LARGEST_BITS = 0x477fe000;

/** The same for the bits of float32 values, with zeros counted as fitting. */
const bitsFitHalf = (bits: Int32Array): boolean => {
  for (let i = 0; i < bits.length; i++) {
    const size = bits[i]! & 0x7fffffff;
    if (size !== 0 && (size < SMALLEST_NORMAL || size > LARGEST_BITS)) return false;
  }
  return true;
};

/** Whether every value stays within 2^-11 of itself, relatively, in float16: no overflow and no subnormals. */
export const fitsHalf = (values: ArrayLike<number>): boolean => {
  if (values instanceof Float32Array)
    return bitsFitHalf(new Int32Array(values.buffer, values.byteOffset, values.length));
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]!);
    if (size !== 0 && !(size >= SMALLEST_NORMAL_HALF && size <= LARGEST_HALF)) return false;
  }
  return true;
};
