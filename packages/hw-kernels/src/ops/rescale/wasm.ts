import { f32x4, i8x16, i16x8, i32, i32x4, type Module, v128 } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { sweep } from "../sweep.ts";
import { clampVector } from "../vectors.ts";
import { requantizeArgs, rescaleArgs } from "./op.ts";

const emitRescale = (m: Module) => {
  m.func("run", kernelParameters(rescaleArgs), (f, v) => {
    const [low, high] = [f.let(f32x4.splat(v.low)), f.let(f32x4.splat(v.high))];
    const [value, scale, at] = [f.local("v128"), f.local("v128"), f.local("i32")];
    const rowBytes = f.let(i32.shl(v.n, 2));
    f.while(i32.gt_s(v.m, 0), () => {
      f.set(scale, v128.load32_splat(v.rowScales));
      sweep(f, at, v.n, ({ load, store }) => {
        f.set(value, f32x4.mul(f32x4.convert_i32x4_s(load(v.x)), f32x4.mul(scale, load(v.columnScales))));
        // without a bias too, as -0 + 0 is 0
        f.if(
          v.bias,
          () => f.set(value, f32x4.add(value, load(v.bias))),
          () => f.set(value, f32x4.add(value, f32x4.const(0))),
        );
        store(v.y, clampVector(value, low, high));
      });
      f.add(v.x, rowBytes);
      f.add(v.y, rowBytes);
      f.add(v.rowScales, 4);
      f.add(v.m, -1);
    });
  });
};

/** No product further away than this matters; from here float32 converts exactly, and the zero point fits beside it. */
const FAR = 2 ** 20;

const emitRequantize = (m: Module) => {
  m.func("run", kernelParameters(requantizeArgs), (f, v) => {
    const [value, at] = [f.local("v128"), f.local("i32")];
    const [zero, low, high] = [f.let(i32x4.splat(v.zero)), f.let(i32x4.splat(v.low)), f.let(i32x4.splat(v.high))];
    const [far, near] = [f.constant(f32x4.const(FAR)), f.constant(f32x4.const(-FAR))];
    const rowBytes = f.let(i32.shl(v.n, 2));
    f.while(i32.gt_s(v.m, 0), () => {
      sweep(f, at, v.n, ({ load, size }) => {
        f.set(value, f32x4.mul(f32x4.convert_i32x4_s(load(v.x)), load(v.scales)));
        f.set(value, f32x4.nearest(clampVector(value, near, far)));
        f.set(value, i32x4.add(i32x4.trunc_sat_f32x4_s(value), zero));
        f.set(value, v128.and(i32x4.max_s(low, i32x4.min_s(high, value)), f.constant(i32x4.const(255))));
        const words = i16x8.narrow_i32x4_s(value, value);
        const bytes = i8x16.narrow_i16x8_u(words, words);
        const to = i32.add(v.y, i32.shr_u(at, 2));
        f.do(size === 4 ? v128.store32_lane(to, bytes, 0) : v128.store8_lane(to, bytes, 0));
      });
      f.add(v.x, rowBytes);
      f.add(v.y, v.n);
      f.add(v.m, -1);
    });
  });
};

export const rescaleWasm: readonly WasmVariant[] = [{ name: "by 4", level: "simd", emit: emitRescale }];
export const requantizeWasm: readonly WasmVariant[] = [{ name: "by 4", level: "simd", emit: emitRequantize }];
