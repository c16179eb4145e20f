import { f32, f32x4, i8x16, i32, type Module, v128 } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { lanes32 } from "../vectors.ts";
import { rangeArgs } from "./op.ts";

const VECTOR = 16;
const UNROLL = 4;
const FLOAT = 4;

const emit = (m: Module) =>
  m.func("run", kernelParameters(rangeArgs), (f, { x, least, most, rows, columns }) => {
    const left = f.local("i32");
    const [lows, highs] = [f.locals("v128", UNROLL), f.locals("v128", UNROLL)];
    const [value, low, high] = [f.local("v128"), f.local("f32"), f.local("f32")];
    const step = (vectors: number) => {
      for (let i = 0; i < vectors; i++) {
        f.set(value, v128.load(x, i * VECTOR));
        f.set(lows[i]!, f32x4.min(lows[i]!, value));
        f.set(highs[i]!, f32x4.max(highs[i]!, value));
      }
      f.add(x, vectors * VECTOR);
      f.add(left, -4 * vectors);
    };
    f.while(i32.gt_s(rows, 0), () => {
      for (const one of lows) f.set(one, f32x4.splat(Infinity));
      for (const one of highs) f.set(one, f32x4.splat(-Infinity));
      f.set(left, columns);
      f.while(i32.ge_s(left, 4 * UNROLL), () => step(UNROLL));
      f.while(i32.ge_s(left, 4), () => step(1));
      for (const [all, combine, to] of [
        [lows, f32x4.min, low],
        [highs, f32x4.max, high],
      ] as const) {
        const [first, second, third, fourth] = all as [typeof value, typeof value, typeof value, typeof value];
        f.set(first, combine(combine(first, second), combine(third, fourth)));
        f.set(first, combine(first, i8x16.shuffle(first, first, lanes32(2, 3, 0, 1))));
        f.set(first, combine(first, i8x16.shuffle(first, first, lanes32(1, 0, 3, 2))));
        f.set(to, f32x4.extract_lane(first, 0));
      }
      f.while(i32.gt_s(left, 0), () => {
        f.set(low, f32.min(low, f32.load(x)));
        f.set(high, f32.max(high, f32.load(x)));
        f.add(x, FLOAT);
        f.add(left, -1);
      });
      f.do(f32.store(least, low));
      f.do(f32.store(most, high));
      f.add(least, FLOAT);
      f.add(most, FLOAT);
      f.add(rows, -1);
    });
  });

export const rangeWasm: readonly WasmVariant[] = [{ name: "vectors", level: "simd", emit }];
