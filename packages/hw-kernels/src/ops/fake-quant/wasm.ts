import { f32, f32x4, i32, type Module } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { sweep } from "../sweep.ts";
import { fakeQuantArgs } from "./op.ts";

const FLOAT = 4;

const emit = (m: Module) =>
  m.func("run", kernelParameters(fakeQuantArgs), (f, { x, y, scales, zeros, rows, columns, lowest, highest }) => {
    const [at, scale, zero, code] = [f.local("i32"), f.local("v128"), f.local("v128"), f.local("v128")];
    const [lows, highs] = [f.let(f32x4.splat(lowest)), f.let(f32x4.splat(highest))];
    const bytes = f.let(i32.shl(columns, 2));
    f.while(i32.gt_s(rows, 0), () => {
      f.set(scale, f32x4.splat(f32.load(scales)));
      f.set(zero, f32x4.splat(f32.load(zeros)));
      sweep(f, at, columns, ({ load, store }) => {
        f.set(code, f32x4.add(f32x4.nearest(f32x4.div(load(x), scale)), zero));
        f.set(code, f32x4.min(f32x4.max(code, lows), highs));
        store(y, f32x4.mul(f32x4.sub(code, zero), scale));
      });
      f.add(x, bytes);
      f.add(y, bytes);
      f.add(scales, FLOAT);
      f.add(zeros, FLOAT);
      f.add(rows, -1);
    });
  });

export const fakeQuantWasm: readonly WasmVariant[] = [{ name: "vectors", level: "simd", emit }];
