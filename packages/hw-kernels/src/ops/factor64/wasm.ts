import { f64, i32, type Module } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { factor64Args } from "./op.ts";

const emit = (m: Module) =>
  m.func("run", kernelParameters(factor64Args), (f, { a, done, n, stride, scratch }) => {
    const [i, j, k, row, other] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
    const [rest, size] = [f.local("f64"), f.let(i32.shl(stride, 3))];
    const at = (base: typeof row, index: typeof row) => i32.add(base, i32.shl(index, 3));
    f.block((leave) => {
      f.set(row, a);
      f.for(i, 0, n, 1, () => {
        f.do(i32.store(done, i));
        f.set(other, a);
        // into scratch, so that a row whose pivot is not positive is left as it is
        f.for(j, 0, i32.add(i, 1), 1, () => {
          f.set(rest, f64.load(at(row, j)));
          f.if(i32.eq(j, i), () => f.set(other, scratch));
          f.for(k, 0, j, 1, () =>
            f.set(rest, f64.sub(rest, f64.mul(f64.load(at(scratch, k)), f64.load(at(other, k))))),
          );
          f.if(
            i32.eq(j, i),
            () => f.set(rest, f64.sqrt(rest)),
            () => f.set(rest, f64.div(rest, f64.load(at(other, j)))),
          );
          f.do(f64.store(at(scratch, j), rest));
          f.set(other, i32.add(other, size));
        });
        f.brIf(leave, i32.eqz(i32.and(f64.gt(rest, 0), f64.lt(rest, Infinity))));
        f.for(j, 0, i32.add(i, 1), 1, () => f.do(f64.store(at(row, j), f64.load(at(scratch, j)))));
        f.set(row, i32.add(row, size));
      });
      f.do(i32.store(done, n));
    });
  });

export const factor64Wasm: readonly WasmVariant[] = [{ name: "rows", level: "simd", emit }];
