import { type Expr, f32, f32x4, i32, type Module, v128 } from "../../asm/index.ts";
import { kernelParameters, type Level, type WasmVariant } from "../../op.ts";
import { sweep } from "../sweep.ts";
import { multiplyAdd, sumLanes } from "../vectors.ts";
import { normArgs } from "./op.ts";

const VECTOR = 16;
const TOGETHER = 4;

const emit = (level: Level) => (m: Module) => {
  const madd = multiplyAdd[level];

  /** sum over j of x[j], or of (x[j] - center)^2, in 16 parts. */
  const addSum = (name: string, add: (x: Expr<"v128">, center: Expr<"v128">, sum: Expr<"v128">) => Expr<"v128">) =>
    m.func(name, { x: "i32", columns: "i32", center: "f32" }, (f, { x, columns, center }) => {
      const sums = f.locals("v128", TOGETHER);
      const [at, spare] = [f.local("i32"), f.local("v128")];
      const centers = f.let(f32x4.splat(center));
      const block = 4 * TOGETHER;
      f.while(i32.ge_s(columns, block), () => {
        for (const [i, sum] of sums.entries()) f.set(sum, add(v128.load(x, i * VECTOR), centers, sum));
        f.add(x, TOGETHER * VECTOR);
        f.add(columns, -block);
      });
      // What is left, four or one at a time; lanes that hold nothing take the center.
      let first = true;
      const onlyFirst = v128.const([...Array(4).fill(0xff), ...Array(12).fill(0)]);
      sweep(f, at, columns, ({ load }) => {
        const value = first ? load(x) : v128.bitselect(load(x), name === "total" ? f32x4.const(0) : centers, onlyFirst);
        f.set(sums[0]!, add(value, centers, sums[0]!));
        first = false;
      });
      f.set(sums[0]!, f32x4.add(f32x4.add(sums[0]!, sums[1]!), f32x4.add(sums[2]!, sums[3]!)));
      return f32x4.extract_lane(sumLanes(sums[0]!, spare, f.set), 0);
    });
  const total = addSum("total", (x, _, sum) => f32x4.add(sum, x));
  const spread = addSum("spread", (x, center, sum) => {
    const difference = f32x4.sub(x, center);
    return madd(difference, difference, sum);
  });

  m.func("run", kernelParameters(normArgs), (f, v) => {
    const at = f.local("i32");
    const [mean, factor, count] = [f.local("f32"), f.local("f32"), f.let(f32.convert_i32_s(v.columns))];
    const rowBytes = f.let(i32.shl(v.columns, 2));
    const [means, factors, value] = [f.local("v128"), f.local("v128"), f.local("v128")];
    const row = { x: v.x, columns: v.columns };
    f.while(i32.gt_s(v.rows, 0), () => {
      f.set(mean, 0);
      f.if(v.centered, () => f.set(mean, f32.div(total.call({ ...row, center: 0 }), count)));
      const variance = f32.add(f32.div(spread.call({ ...row, center: mean }), count), v.epsilon);
      f.set(factor, f32.div(f32.const(1), f32.sqrt(variance)));
      f.set(means, f32x4.splat(mean));
      f.set(factors, f32x4.splat(factor));
      // y = (x - mean) * factor * gain + bias
      sweep(f, at, v.columns, ({ load, store }) => {
        f.set(value, f32x4.mul(f32x4.sub(load(v.x), means), factors));
        f.if(v.gain, () => f.set(value, f32x4.mul(value, load(v.gain))));
        f.if(v.bias, () => f.set(value, f32x4.add(value, load(v.bias))));
        store(v.y, value);
      });
      f.set(v.x, i32.add(v.x, rowBytes));
      f.set(v.y, i32.add(v.y, rowBytes));
      f.add(v.rows, -1);
    });
  });
};

export const normWasm: readonly WasmVariant[] = [
  { name: "vectors", level: "simd", spare: true, emit: emit("simd") },
  { name: "vectors, fma", level: "relaxed", emit: emit("relaxed") },
];
