import { f32x4, i32, i32x4, type Module, v128 } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { sweep } from "../sweep.ts";
import { histogramArgs } from "./op.ts";

const emit = (m: Module) =>
  m.func("run", kernelParameters(histogramArgs), (f, { x, counts, count, bins, low, scale, absolute }) => {
    const [value, place, at, bin] = [f.local("v128"), f.local("v128"), f.local("i32"), f.local("i32")];
    const [lows, scales] = [f.let(f32x4.splat(low)), f.let(f32x4.splat(scale))];
    const [last, none] = [f.let(i32x4.splat(i32.sub(bins, 1))), f.let(i32x4.splat(bins))];
    // all bits but the sign's, or all
    const mask = f.let(i32x4.splat(i32.xor(-1, i32.shl(absolute, 31))));
    const placeOf = (load: (base: typeof x) => typeof value | ReturnType<typeof v128.load>) => {
      f.set(value, f32x4.mul(f32x4.sub(v128.and(load(x), mask), lows), scales));
      f.set(place, i32x4.trunc_sat_f32x4_s(f32x4.floor(value)));
      f.set(place, i32x4.min_s(i32x4.max_s(place, i32x4.splat(0)), last));
      f.set(place, v128.bitselect(none, place, f32x4.ne(value, value)));
    };
    const add = (lane: number) => {
      f.set(bin, i32.add(counts, i32.shl(i32x4.extract_lane(place, lane), 2)));
      f.do(i32.store(bin, i32.add(i32.load(bin), 1)));
    };
    let lanes = 4;
    sweep(f, at, count, ({ load }) => {
      placeOf(load as never);
      for (let lane = 0; lane < lanes; lane++) add(lane);
      lanes = 1;
    });
  });

export const histogramWasm: readonly WasmVariant[] = [{ name: "vectors", level: "simd", emit }];
