import { f64, i32, type Module, select } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { addDot, addRotate } from "../blocks64/lines.ts";
import { jacobi64Args, LEAST_ANGLE } from "./op.ts";

const emit = (module: Module) => {
  const dot = addDot(module);
  const rotate = addRotate(module);
  module.func("run", kernelParameters(jacobi64Args), (f, { w, v, turned, n, m, k, noise }) => {
    const [i, j, first, second, firstV, secondV, count] = [
      ...[f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")],
      ...[f.local("i32"), f.local("i32"), f.local("i32")],
    ] as const;
    const [a, b, product, square, zeta, t, c] = [
      ...[f.local("f64"), f.local("f64"), f.local("f64"), f.local("f64")],
      ...[f.local("f64"), f.local("f64"), f.local("f64")],
    ] as const;
    const [bytes, bytesV] = [f.let(i32.shl(m, 3)), f.let(i32.shl(k, 3))];
    const size = f.let(f64.mul(LEAST_ANGLE ** 2, f64.convert_i32_s(m)));
    f.set(first, w);
    f.set(firstV, v);
    f.for(i, 0, n, 1, () => {
      f.set(second, i32.add(first, bytes));
      f.set(secondV, i32.add(firstV, bytesV));
      f.set(a, dot.call({ a: first, b: first, count: m }));
      f.for(j, i32.add(i, 1), n, 1, () => {
        f.set(b, dot.call({ a: second, b: second, count: m }));
        f.set(product, dot.call({ a: first, b: second, count: m }));
        f.set(square, f64.mul(product, product));
        const most = f64.max(a, b);
        const orthogonal = i32.or(f64.le(most, noise), f64.le(square, f64.mul(f64.mul(size, a), b)));
        const within = f64.le(square, f64.mul(f64.mul(noise, most), LEAST_ANGLE));
        f.if(i32.eqz(i32.or(orthogonal, i32.and(f64.le(f64.min(a, b), noise), within))), () => {
          f.add(count, 1);
          f.set(zeta, f64.div(f64.sub(b, a), f64.mul(2, product)));
          const root = f64.sqrt(f64.add(1, f64.mul(zeta, zeta)));
          const sign = select(f64.const(-1), f64.const(1), f64.lt(zeta, 0));
          f.set(t, f64.div(sign, f64.add(f64.abs(zeta), root)));
          f.set(c, f64.div(1, f64.sqrt(f64.add(1, f64.mul(t, t)))));
          f.set(t, f64.mul(c, t));
          f.do(rotate.call({ x: first, y: second, count: m, c, s: t }));
          f.do(rotate.call({ x: firstV, y: secondV, count: k, c, s: t }));
          f.set(a, dot.call({ a: first, b: first, count: m }));
        });
        f.add(second, bytes);
        f.add(secondV, bytesV);
      });
      f.add(first, bytes);
      f.add(firstV, bytesV);
    });
    f.do(i32.store(turned, count));
  });
};

export const jacobi64Wasm: readonly WasmVariant[] = [{ name: "rows", level: "simd", emit }];
