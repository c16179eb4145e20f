import { f32x4, i32, type Module, v128 } from "../../asm/index.ts";
import { kernelParameters, type Level, type WasmVariant } from "../../op.ts";
import { exponential } from "../exponential.ts";
import { sweep } from "../sweep.ts";
import { mostOfLanes, sumLanes } from "../vectors.ts";
import { softmaxArgs } from "./op.ts";

const emit = (level: Level) => (m: Module) => {
  m.func("run", kernelParameters(softmaxArgs), (f, { x, y, rows, columns, scale }) => {
    const at = f.local("i32");
    const [most, sum, spare, value] = [f.local("v128"), f.local("v128"), f.local("v128"), f.local("v128")];
    const scales = f.let(f32x4.splat(scale));
    const rowBytes = f.let(i32.shl(columns, 2));
    const lowest = f.constant(f32x4.const(-Infinity));
    const onlyFirst = f.constant(v128.const([...Array(4).fill(0xff), ...Array(12).fill(0)]));
    f.while(i32.gt_s(rows, 0), () => {
      // m = max over j of scale x[j]
      f.set(most, lowest);
      let isVector = true;
      sweep(f, at, columns, ({ load }) => {
        const scaled = f32x4.mul(load(x), scales);
        f.set(most, f32x4.pmax(most, isVector ? scaled : v128.bitselect(scaled, lowest, onlyFirst)));
        isVector = false;
      });
      f.set(most, mostOfLanes(most, spare, f.set));

      // y[j] = exp(scale x[j] - m), and their sum
      f.set(sum, f32x4.const(0));
      isVector = true;
      sweep(f, at, columns, ({ load, store }) => {
        exponential(f, level, f32x4.sub(f32x4.mul(load(x), scales), most), value);
        store(y, value);
        f.set(sum, f32x4.add(sum, isVector ? value : v128.and(value, onlyFirst)));
        isVector = false;
      });
      f.set(sum, f32x4.div(f32x4.const(1), sumLanes(sum, spare, f.set)));

      // y[j] /= sum
      sweep(f, at, columns, ({ load, store }) => store(y, f32x4.mul(load(y), sum)));
      f.set(x, i32.add(x, rowBytes));
      f.set(y, i32.add(y, rowBytes));
      f.add(rows, -1);
    });
  });
};

export const softmaxWasm: readonly WasmVariant[] = [
  { name: "vectors", level: "simd", spare: true, emit: emit("simd") },
  { name: "vectors, fma", level: "relaxed", emit: emit("relaxed") },
];
