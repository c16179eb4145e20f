/** Arithmetic that JavaScript's operators do not have, as WebAssembly defines it. For the interpreter. */

export const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** The nearest integer, halves to the even one; the sign of zero stays. */
export const nearest = (value: number): number => {
  const down = Math.floor(value);
  const rest = value - down;
  const rounded = rest < 0.5 || (rest === 0.5 && down % 2 === 0) ? down : down + 1;
  return rounded === 0 && (value < 0 || Object.is(value, -0)) ? -0 : rounded;
};

/** Truncation to an integer in a range; NaN gives 0. */
export const truncateSaturating = (value: number, low: number, high: number): number =>
  Number.isNaN(value) ? 0 : clamp(Math.trunc(value), low, high);

/** NaN if one is NaN; -0 is below 0. */
export const minimum = (a: number, b: number): number => Math.min(a, b);
export const maximum = (a: number, b: number): number => Math.max(a, b);
/** The first unless the second is better: with NaN, and of two zeros, the first. */
// biome-ignore lint/complexity/useMathMinMax: not the same with NaN and -0.
export const pseudoMinimum = (a: number, b: number): number => (b < a ? b : a);
// biome-ignore lint/complexity/useMathMinMax: not the same with NaN and -0.
export const pseudoMaximum = (a: number, b: number): number => (a < b ? b : a);

const odd = new DataView(new ArrayBuffer(8));
/** The neighbour of an inexact sum whose last bit is odd, so that rounding it again to float32 rounds once in effect. */
const toOdd = (sum: number, error: number): number => {
  if (!Number.isFinite(sum)) return sum;
  odd.setFloat64(0, sum);
  const bits = odd.getBigInt64(0);
  if (bits & 1n) return sum;
  odd.setBigInt64(0, bits + (error > 0 === sum > 0 ? 1n : -1n));
  return odd.getFloat64(0);
};

/** a * b + c, rounded once, for float32 values. Method: Boldo and Melquiond, 2008, "Emulation of FMA", round to odd. */
export const fusedFloat = (a: number, b: number, c: number): number => {
  const product = a * b;
  const sum = product + c;
  const part = sum - product;
  const error = product - (sum - part) + (c - part);
  return Math.fround(error === 0 ? sum : toOdd(sum, error));
};

type Rational = readonly [numerator: bigint, exponent: number];
/** A finite float64 as an integer times a power of two. */
const exact = (value: number): Rational => {
  odd.setFloat64(0, value);
  const bits = odd.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = (bits & 0xfffffffffffffn) | (exponent ? 1n << 52n : 0n);
  return [bits >> 63n ? -fraction : fraction, (exponent || 1) - 1075];
};

/** a * b + c, rounded once, for float64 values. */
export const fusedDouble = (a: number, b: number, c: number): number => {
  const plain = a * b + c;
  if (![a, b, c].every(Number.isFinite)) return plain;
  const [an, ae] = exact(a);
  const [bn, be] = exact(b);
  const [cn, ce] = exact(c);
  const exponent = Math.min(ae + be, ce);
  const sum = ((an * bn) << BigInt(ae + be - exponent)) + (cn << BigInt(ce - exponent));
  return sum === 0n ? plain : roundRational(sum, exponent);
};

const roundRational = (value: bigint, exponent: number): number => {
  const magnitude = value < 0n ? -value : value;
  const keep = Math.max(magnitude.toString(2).length - 53, -1074 - exponent);
  let kept = magnitude;
  if (keep > 0) {
    const half = 1n << BigInt(keep - 1);
    const rest = magnitude & ((half << 1n) - 1n);
    kept = magnitude >> BigInt(keep);
    if (rest > half || (rest === half && kept & 1n)) kept += 1n;
  }
  const scaled = scale(Number(kept), exponent + Math.max(keep, 0));
  return value < 0n ? -scaled : scaled;
};

/** x * 2^n for an x that needs no rounding; in two steps, as 2^n alone may not be a number. */
const scale = (x: number, n: number): number => {
  const half = Math.trunc(n / 2);
  return x * 2 ** half * 2 ** (n - half);
};
