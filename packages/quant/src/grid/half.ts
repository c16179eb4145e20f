/** Largest finite float16. Source: IEEE 754 binary16. */
export const LARGEST_HALF = 65504;
/** Smallest float16 with all its bits of precision. */
export const SMALLEST_NORMAL_HALF = 2 ** -14;

const HALF_BITS = 11;

/** The float16 nearest to x, halves to even; beyond the largest, that one. */
export const roundToHalf = (x: number): number => {
  const size = Math.abs(x);
  if (!(size > 0)) return x;
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const unit = 2 ** (exponent - (HALF_BITS - 1));
  const scaled = size / unit;
  const below = Math.floor(scaled);
  const rest = scaled - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 === 1);
  return Math.sign(x) * Math.min(LARGEST_HALF, (below + (up ? 1 : 0)) * unit);
};
