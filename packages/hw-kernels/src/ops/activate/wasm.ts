import { type Body, type Expr, f32x4, i32, type Local, type Module, v128 } from "../../asm/index.ts";
import { kernelParameters, type Level, type WasmVariant } from "../../op.ts";
import { exponential } from "../exponential.ts";
import { sweep } from "../sweep.ts";
import { multiplyAdd } from "../vectors.ts";
import { ACTIVATIONS, activateArgs } from "./op.ts";

type Vector = Expr<"v128">;
const LOWEST = -3.4028234663852886e38;
const CUBIC = 0.044715;
/** erf(z) = 1 - t (A0 + t (A1 + ...)) exp(-z^2), t = 1 / (1 + P z). Source: Abramowitz and Stegun, 7.1.26. */
const P = 0.3275911;
const A = [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429];

/** The factor of x where x is negative: e / (1 + e) is small and exact; where it is not: 1 - that. */
const chosen = (f: Body, x: Vector, below: Vector, above: Vector): Vector =>
  v128.bitselect(below, above, f32x4.lt(x, f.constant(f32x4.const(0))));

/** 1 / (1 + exp(-u)) for `u` = argument(x). */
const sigmoid = (f: Body, level: Level, u: Local<"v128">): Vector => {
  const [e, inverse] = [f.local("v128"), f.local("v128")];
  exponential(f, level, f32x4.neg(f32x4.abs(u)), e);
  f.set(inverse, f32x4.div(f.constant(f32x4.const(1)), f32x4.add(e, f.constant(f32x4.const(1)))));
  return chosen(f, u, f32x4.mul(e, inverse), inverse);
};

/** Phi(x): half of erfc(|x| / sqrt 2) where x is negative, 1 - that where it is not. */
const normal = (f: Body, level: Level, x: Local<"v128">): Vector => {
  const madd = multiplyAdd[level];
  const [z, t, sum, e] = [f.local("v128"), f.local("v128"), f.local("v128"), f.local("v128")];
  f.set(z, f32x4.mul(f32x4.abs(x), f.constant(f32x4.const(Math.SQRT1_2))));
  f.set(t, f32x4.div(f.constant(f32x4.const(1)), madd(z, f.constant(f32x4.const(P)), f.constant(f32x4.const(1)))));
  const [top, ...rest] = [...A].reverse();
  f.set(sum, f.constant(f32x4.const(top!)));
  for (const a of rest) f.set(sum, madd(sum, t, f.constant(f32x4.const(a))));
  exponential(f, level, f32x4.neg(f32x4.mul(z, z)), e);
  f.set(sum, f32x4.mul(f32x4.mul(sum, t), f32x4.mul(e, f.constant(f32x4.const(0.5)))));
  return chosen(f, x, sum, f32x4.sub(f.constant(f32x4.const(1)), sum));
};

/** The factor of each x. Minus infinity is taken as the lowest number, so that 0 times it is 0. */
const gates: Record<(typeof ACTIVATIONS)[number], (f: Body, level: Level, x: Local<"v128">) => Vector> = {
  gelu: normal,
  geluTanh: (f, level, x) => {
    const u = f.local("v128");
    const cubic = multiplyAdd[level](f32x4.mul(x, x), f.constant(f32x4.const(CUBIC)), f.constant(f32x4.const(1)));
    f.set(u, f32x4.mul(f32x4.mul(x, cubic), f.constant(f32x4.const(2 * Math.sqrt(2 / Math.PI)))));
    return sigmoid(f, level, u);
  },
  silu: sigmoid,
  sigmoid,
};

const emit = (level: Level) => (m: Module) => {
  const functions = ACTIVATIONS.map((name) =>
    m.func(name, { x: "i32", y: "i32", count: "i32" }, (f, { x, y, count }) => {
      const [at, value] = [f.local("i32"), f.local("v128")];
      sweep(f, at, count, ({ load, store }) => {
        f.set(value, f32x4.pmax(load(x), f.constant(f32x4.const(LOWEST))));
        const gate = gates[name](f, level, value);
        store(y, name === "sigmoid" ? gate : f32x4.mul(value, gate));
      });
    }),
  );
  m.func("run", kernelParameters(activateArgs), (f, v) => {
    for (const [kind, one] of functions.entries()) f.if(i32.eq(v.kind, kind), () => f.do(one.call(v)));
  });
};

export const activateWasm: readonly WasmVariant[] = [
  { name: "vectors", level: "simd", spare: true, emit: emit("simd") },
  { name: "vectors, fma", level: "relaxed", emit: emit("relaxed") },
];
