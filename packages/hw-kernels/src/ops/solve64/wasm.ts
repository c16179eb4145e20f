import { f64x2, i32, type Module, select, v128 } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { addPanelCopy, DOUBLE, least } from "../blocks64/pack.ts";
import { solve64Args } from "./args.ts";

const VECTOR = 16;
const WIDTH = 8;
const LINE = WIDTH * DOUBLE;

/** Adds `substitute`: x[i] = (x[i] - sum over j < i of l[i, j] x[j]) / l[i, i], rows of eight; steps in bytes, of any sign. */
const addSubstitute = (m: Module) =>
  m.func("substitute", { l: "i32", x: "i32", n: "i32", row: "i32", column: "i32" }, (f, v) => {
    const sums = f.locals("v128", WIDTH / 2);
    const factor = f.local("v128");
    const [i, j, from, element] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
    const target = f.let(v.x);
    f.for(i, 0, v.n, 1, () => {
      for (const [c, sum] of sums.entries()) f.set(sum, v128.load(target, c * VECTOR));
      f.set(from, v.x);
      f.set(element, v.l);
      f.for(j, 0, i, 1, () => {
        f.set(factor, v128.load64_splat(element));
        for (const [c, sum] of sums.entries())
          f.set(sum, f64x2.sub(sum, f64x2.mul(factor, v128.load(from, c * VECTOR))));
        f.add(from, LINE);
        f.add(element, v.column);
      });
      f.set(factor, v128.load64_splat(element));
      for (const [c, sum] of sums.entries()) f.do(v128.store(target, f64x2.div(sum, factor), c * VECTOR));
      f.add(target, LINE);
      f.add(v.l, v.row);
    });
  });

const emit = (m: Module) => {
  const gather = addPanelCopy(m, "gather", WIDTH);
  const scatter = addPanelCopy(m, "scatter", WIDTH, true);
  const substitute = addSubstitute(m);
  m.func("run", kernelParameters(solve64Args), (f, v) => {
    const c = f.local("i32");
    const [strideL, strideX] = [f.let(i32.shl(v.strideL, 3)), f.let(i32.shl(v.strideX, 3))];
    const last = f.let(i32.sub(v.n, 1));
    const one = i32.const(DOUBLE);
    const [acrossX, alongX] = [f.let(select(strideX, one, v.across)), f.let(select(one, strideX, v.across))];
    const [row, column] = [f.let(strideL), f.let(one)];
    // a transposed triangle is gone through from its end
    f.if(v.transposed, () => {
      f.set(v.l, i32.add(v.l, i32.mul(last, i32.add(strideL, DOUBLE))));
      f.set(row, -DOUBLE);
      f.set(column, i32.sub(0, strideL));
      f.set(v.x, i32.add(v.x, i32.mul(last, alongX)));
      f.set(alongX, i32.sub(0, alongX));
    });
    f.for(c, 0, v.count, WIDTH, () => {
      const width = least(i32.const(WIDTH), i32.sub(v.count, c));
      const lines = { lines: i32.add(v.x, i32.mul(c, acrossX)), across: acrossX, along: alongX };
      const panel = { ...lines, panel: v.scratch, depth: v.n, width };
      f.do(gather.call(panel));
      f.do(substitute.call({ l: v.l, x: v.scratch, n: v.n, row, column }));
      f.do(scatter.call(panel));
    });
  });
};

export const solve64Wasm: readonly WasmVariant[] = [{ name: "eight lines", level: "simd", emit }];
