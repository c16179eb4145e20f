import { type Expr, f64, f64x2, i32, type Module, v128 } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { DOUBLE } from "../blocks64/pack.ts";
import { update64Args } from "./op.ts";

const VECTOR = 16;
const SUMS = 2;

const emit = (m: Module) =>
  m.func("run", kernelParameters(update64Args), (f, { a, v, w, u, p, n, stride, from, to }) => {
    const [i, j, row] = [f.local("i32"), f.local("i32"), f.local("i32")];
    const [one, other, last, total] = [f.local("f64"), f.local("f64"), f.local("f64"), f.local("f64")];
    const [ones, others, value] = [f.local("v128"), f.local("v128"), f.local("v128")];
    const sums = f.locals("v128", SUMS);
    const at = (base: Expr<"i32">) => i32.add(base, j);
    const end = f.let(i32.shl(n, 3));
    const step = (vectors: number) => {
      for (let k = 0; k < vectors; k++) {
        const change = f64x2.add(
          f64x2.mul(ones, v128.load(at(w), k * VECTOR)),
          f64x2.mul(others, v128.load(at(v), k * VECTOR)),
        );
        f.set(value, f64x2.sub(v128.load(at(row), k * VECTOR), change));
        f.do(v128.store(at(row), value, k * VECTOR));
        f.set(sums[k]!, f64x2.add(sums[k]!, f64x2.mul(value, v128.load(at(u), k * VECTOR))));
      }
      f.add(j, vectors * VECTOR);
    };
    f.for(i, from, to, 1, () => {
      f.set(row, i32.add(a, i32.mul(i, i32.shl(stride, 3))));
      f.set(one, f64.load(i32.add(v, i32.shl(i, 3))));
      f.set(other, f64.load(i32.add(w, i32.shl(i, 3))));
      f.set(ones, f64x2.splat(one));
      f.set(others, f64x2.splat(other));
      for (const sum of sums) f.set(sum, f64x2.splat(0));
      f.set(total, 0);
      f.set(j, 0);
      f.while(i32.le_s(j, i32.sub(end, SUMS * VECTOR)), () => step(SUMS));
      f.while(i32.le_s(j, i32.sub(end, VECTOR)), () => step(1));
      f.while(i32.lt_s(j, end), () => {
        const change = f64.add(f64.mul(one, f64.load(at(w))), f64.mul(other, f64.load(at(v))));
        f.set(last, f64.sub(f64.load(at(row)), change));
        f.do(f64.store(at(row), last));
        f.set(total, f64.mul(last, f64.load(at(u))));
        f.add(j, DOUBLE);
      });
      f.set(sums[0]!, f64x2.add(sums[0]!, sums[1]!));
      f.set(total, f64.add(total, f64.add(f64x2.extract_lane(sums[0]!, 0), f64x2.extract_lane(sums[0]!, 1))));
      f.do(f64.store(i32.add(p, i32.shl(i, 3)), total));
    });
  });

export const update64Wasm: readonly WasmVariant[] = [{ name: "rows", level: "simd", emit }];
