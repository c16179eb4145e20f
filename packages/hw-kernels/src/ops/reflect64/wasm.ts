import { f64, i32, type Module } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { addAdd, addDot } from "../blocks64/lines.ts";
import { reflect64Args } from "./op.ts";

const emit = (m: Module) => {
  const dot = addDot(m);
  const add = addAdd(m);
  m.func("run", kernelParameters(reflect64Args), (f, { v, x, n, count, stride, beta }) => {
    const factor = f.local("f64");
    const bytes = f.let(i32.shl(stride, 3));
    f.while(i32.gt_s(count, 0), () => {
      f.set(factor, f64.neg(f64.mul(beta, dot.call({ a: v, b: x, count: n }))));
      f.do(add.call({ factor, x: v, y: x, count: n }));
      f.add(x, bytes);
      f.add(count, -1);
    });
  });
};

export const reflect64Wasm: readonly WasmVariant[] = [{ name: "lines", level: "simd", emit }];
