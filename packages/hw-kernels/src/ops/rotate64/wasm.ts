import { f64, f64x2, i32, type Module, v128 } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { DOUBLE } from "../blocks64/pack.ts";
import { rotate64Args } from "./op.ts";

const VECTOR = 16;
const CHUNK = 8;

/** Sixteen columns at a time; the lower row of a pair stays in registers from one pair to the next. */
const emit = (m: Module) =>
  m.func("run", kernelParameters(rotate64Args), (f, v) => {
    const carried = f.locals("v128", CHUNK);
    const [c, s, upper] = [f.local("v128"), f.local("v128"), f.local("v128")];
    const [one, other] = [f.local("f64"), f.local("f64")];
    const [row, angle, left] = [f.local("i32"), f.local("i32"), f.local("i32")];
    const bytes = f.let(i32.shl(v.stride, 3));
    const go = (start: () => void, pair: () => void, end: () => void) => {
      f.set(row, i32.add(v.x, i32.mul(v.count, bytes)));
      f.set(angle, i32.shl(v.count, 3));
      f.set(left, v.count);
      start();
      f.while(i32.gt_s(left, 0), () => {
        f.set(row, i32.sub(row, bytes));
        f.add(angle, -DOUBLE);
        pair();
        f.add(left, -1);
      });
      end();
    };
    const below = i32.add(row, bytes);
    f.while(i32.ge_s(v.columns, 2 * CHUNK), () => {
      go(
        () => {
          for (const [i, carry] of carried.entries()) f.set(carry, v128.load(row, i * VECTOR));
        },
        () => {
          f.set(c, v128.load64_splat(i32.add(v.c, angle)));
          f.set(s, v128.load64_splat(i32.add(v.s, angle)));
          for (const [i, carry] of carried.entries()) {
            f.set(upper, v128.load(row, i * VECTOR));
            f.do(v128.store(below, f64x2.add(f64x2.mul(s, upper), f64x2.mul(c, carry)), i * VECTOR));
            f.set(carry, f64x2.sub(f64x2.mul(c, upper), f64x2.mul(s, carry)));
          }
        },
        () => {
          for (const [i, carry] of carried.entries()) f.do(v128.store(row, carry, i * VECTOR));
        },
      );
      f.add(v.x, CHUNK * VECTOR);
      f.add(v.columns, -2 * CHUNK);
    });
    f.while(i32.gt_s(v.columns, 0), () => {
      go(
        () => f.set(other, f64.load(row)),
        () => {
          const [cosine, sine] = [f64.load(i32.add(v.c, angle)), f64.load(i32.add(v.s, angle))];
          f.set(one, f64.load(row));
          f.do(f64.store(below, f64.add(f64.mul(sine, one), f64.mul(cosine, other))));
          f.set(other, f64.sub(f64.mul(cosine, one), f64.mul(sine, other)));
        },
        () => f.do(f64.store(row, other)),
      );
      f.add(v.x, DOUBLE);
      f.add(v.columns, -1);
    });
  });

export const rotate64Wasm: readonly WasmVariant[] = [{ name: "chains", level: "simd", emit }];
