import { type Expr, f32x4, i8x16, type Local } from "../asm/index.ts";
import type { Level } from "../op.ts";

type Vector = Expr<"v128">;

/** a * b + c: rounded twice with SIMD128, once where relaxed SIMD has a fused instruction. */
export const multiplyAdd: Readonly<Record<Level, (a: Vector, b: Vector, c: Vector) => Vector>> = {
  simd: (a, b, c) => f32x4.add(c, f32x4.mul(a, b)),
  relaxed: (a, b, c) => f32x4.relaxed_madd(a, b, c),
};

/** min(max(x, low), high); NaN stays. */
export const clampVector = (x: Vector, low: Vector, high: Vector): Vector => f32x4.pmin(f32x4.pmax(x, low), high);

/** The bytes of 32-bit lanes, for a shuffle: 0 to 3 of the first operand, 4 to 7 of the second. */
export const lanes32 = (...from: number[]) => from.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte));

type Set = (to: Local<"v128">, value: Vector) => void;
/** All four lanes put together by an operation, in each lane: (x0 o x2) o (x1 o x3). */
const acrossLanes =
  (combine: (a: Vector, b: Vector) => Vector) => (x: Local<"v128">, spare: Local<"v128">, set: Set) => {
    set(spare, combine(x, i8x16.shuffle(x, x, lanes32(2, 3, 0, 1))));
    return combine(spare, i8x16.shuffle(spare, spare, lanes32(1, 0, 3, 2)));
  };
export const sumLanes = acrossLanes(f32x4.add);
export const mostOfLanes = acrossLanes(f32x4.max);
