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

const lanes32 = (...from: number[]) => from.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte));

/** The sum of the four lanes, in each lane: (x0 + x2) + (x1 + x3). */
export const sumLanes = (
  x: Local<"v128">,
  spare: Local<"v128">,
  set: (to: Local<"v128">, value: Vector) => void,
): Vector => {
  set(spare, f32x4.add(x, i8x16.shuffle(x, x, lanes32(2, 3, 0, 1))));
  return f32x4.add(spare, i8x16.shuffle(spare, spare, lanes32(1, 0, 3, 2)));
};
