import { type Body, type Expr, f32x4, i32x4, type Local, v128 } from "../asm/index.ts";
import type { Level } from "../op.ts";
import { multiplyAdd } from "./vectors.ts";

/** Below, exp(x) is no normal float32 number: it becomes 0. */
const LOWEST = -87.336544;
/** 1.5 * 2^23: adding it rounds a small number to an integer, which stands in the low bits. */
const ROUND = 12582912;
/** ln 2 in two parts, the first with few bits, so that n * LN2_HIGH is exact. */
const LN2_HIGH = 0.693359375;
const LN2_LOW = -0.00021219444005469057;
/** (exp(r) - 1 - r) / r^2 on |r| <= 0.348, interpolated at Chebyshev nodes: exp is within 1.1e-8 of itself. */
const COEFFICIENTS = [0.5, 0.16666576266288757, 0.04166655242443085, 0.008363292552530766, 0.0013926326064392924];
const EXPONENT_BITS = 23;
const ONE = 0x3f800000;

/**
 * Emits exp(x) for x <= 0 (and up to 88), lane by lane, into `result`. NaN stays; results below 2^-126 become 0.
 *
 *     n = round(x / ln 2)     r = x - n ln 2     exp(x) = 2^n (1 + r + r^2 P(r))
 */
export const exponential = (f: Body, level: Level, x: Expr<"v128">, result: Local<"v128">): void => {
  const madd = multiplyAdd[level];
  const splat = (value: number) => f.constant(f32x4.const(value));
  const [start, shifted, n, r] = [f.let(x), f.local("v128"), f.local("v128"), f.local("v128")];
  f.set(r, f32x4.pmax(start, splat(LOWEST)));
  f.set(shifted, madd(r, splat(Math.LOG2E), splat(ROUND)));
  f.set(n, f32x4.sub(shifted, splat(ROUND)));
  f.set(r, madd(n, splat(-LN2_HIGH), r));
  f.set(r, madd(n, splat(-LN2_LOW), r));
  const [top, ...rest] = [...COEFFICIENTS].reverse();
  f.set(result, splat(top!));
  for (const coefficient of rest) f.set(result, madd(result, r, splat(coefficient)));
  f.set(result, madd(f32x4.mul(r, r), result, r));
  f.set(result, f32x4.add(result, splat(1)));
  const power = i32x4.add(i32x4.shl(shifted, EXPONENT_BITS), f.constant(i32x4.const(ONE)));
  f.set(result, f32x4.mul(result, power));
  f.set(result, v128.andnot(result, f32x4.lt(start, splat(LOWEST))));
};
