import { type Expr, f32, f32x4, i8x16, i16x8, i32, i32x4, type Module, memory, v128 } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { lanes32 } from "../vectors.ts";
import { type CodeType, MOST, quantizeActivationsArgs, SMALLEST } from "./op.ts";

/** 1.5 × 2^23: a float32 of this size holds whole numbers only, and its low bits are what was added. Source: IEEE 754. */
const MAGIC = 12582912;
const VECTOR = 16;
const INFINITY_BITS = 0x7f800000;

const swap = (x: Expr<"v128">, ...lanes: number[]) => i8x16.shuffle(x, x, lanes32(...lanes));

const emit = (type: CodeType) => (m: Module) => {
  const block = m.func(
    "block",
    { x: "i32", codes: "i32", scale: "i32", sum: "i32", count: "i32" },
    (f, { x, codes, scale, sum, count }) => {
      const [from, left] = [f.let(x), f.let(count)];
      const parts = f.locals("v128", 4);
      const [most, spare, inverse, total] = [f.local("v128"), f.local("v128"), f.local("v128"), f.local("v128")];
      const sizes = f.let(i32x4.splat(0x7fffffff));
      // magnitudes as bits: they order as integers, NaN on top
      f.repeat(left, VECTOR, () => {
        for (let i = 0; i < 4; i++) f.set(most, i32x4.max_s(most, v128.and(v128.load(from, VECTOR * i), sizes)));
        f.add(from, 4 * VECTOR);
      });
      f.set(spare, i32x4.max_s(most, swap(most, 2, 3, 0, 1)));
      f.set(most, i32x4.max_s(spare, swap(spare, 1, 0, 3, 2)));
      const largest = f32x4.extract_lane(most, 0);
      const isRegular = i32.and(
        f32.gt(largest, SMALLEST),
        i32.lt_s(i32x4.extract_lane(most, 0), i32.const(INFINITY_BITS)),
      );
      f.if(
        isRegular,
        () => {
          f.do(f32.store(scale, f32.div(largest, MOST[type])));
          f.set(inverse, f32x4.splat(f32.div(MOST[type], largest)));
        },
        () => {
          // 0, or NaN from what is not finite
          f.if(
            i32.lt_s(i32x4.extract_lane(most, 0), i32.const(INFINITY_BITS)),
            () => f.do(f32.store(scale, 0)),
            () => f.do(f32.store(scale, Number.NaN)),
          );
        },
      );
      const magic = f.let(f32x4.splat(MAGIC));
      f.set(left, count);
      f.repeat(left, VECTOR, () => {
        f.if(
          isRegular,
          () => {
            for (const [i, part] of parts.entries())
              f.set(part, i32x4.sub(f32x4.add(f32x4.mul(v128.load(x, VECTOR * i), inverse), magic), magic));
          },
          () => {
            for (const part of parts) f.set(part, i32x4.const(0));
          },
        );
        f.set(total, i32x4.add(total, i32x4.add(i32x4.add(parts[0]!, parts[1]!), i32x4.add(parts[2]!, parts[3]!))));
        const [low, high] = [i16x8.narrow_i32x4_s(parts[0]!, parts[1]!), i16x8.narrow_i32x4_s(parts[2]!, parts[3]!)];
        if (type === "i8") f.do(v128.store(codes, i8x16.narrow_i16x8_s(low, high)));
        else {
          f.do(v128.store(codes, low));
          f.do(v128.store(codes, high, VECTOR));
        }
        f.add(x, 4 * VECTOR);
        f.add(codes, type === "i8" ? VECTOR : 2 * VECTOR);
      });
      f.set(spare, i32x4.add(total, swap(total, 2, 3, 0, 1)));
      f.do(i32.store(sum, i32x4.extract_lane(i32x4.add(spare, swap(spare, 1, 0, 3, 2)), 0)));
    },
  );
  m.func("run", kernelParameters(quantizeActivationsArgs[type]), (f, v) => {
    const [at, from] = [f.local("i32"), f.local("i32")];
    const bytes = f.let(type === "i8" ? v.blockSize : i32.shl(v.blockSize, 1));
    const one = () => {
      f.do(block.call({ x: from, codes: v.codes, scale: v.scales, sum: v.sums, count: v.blockSize }));
      f.add(v.codes, bytes);
      f.add(v.scales, 4);
      f.add(v.sums, 4);
    };
    f.while(i32.gt_s(v.m, 0), () => {
      f.set(from, v.x);
      f.set(at, v.k);
      f.while(i32.ge_s(at, v.blockSize), () => {
        one();
        f.add(from, i32.shl(v.blockSize, 2));
        f.set(at, i32.sub(at, v.blockSize));
      });
      f.if(i32.gt_s(at, 0), () => {
        f.do(memory.fill(v.scratch, 0, i32.shl(v.blockSize, 2)));
        f.do(memory.copy(v.scratch, from, i32.shl(at, 2)));
        f.set(from, v.scratch);
        one();
      });
      f.add(v.x, i32.shl(v.stride, 2));
      f.add(v.m, -1);
    });
  });
};

export const quantizeActivationsWasm = (type: CodeType): readonly WasmVariant[] => [
  { name: "by block", level: "simd", emit: emit(type) },
];
