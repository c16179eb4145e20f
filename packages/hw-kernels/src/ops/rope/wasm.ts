import { type Expr, f32x4, i8x16, i32, type Module, v128 } from "../../asm/index.ts";
import { kernelParameters, type Level, type WasmVariant } from "../../op.ts";
import { sweep } from "../sweep.ts";
import { lanes32, multiplyAdd } from "../vectors.ts";
import { ropeArgs } from "./op.ts";

type Vector = Expr<"v128">;
const VECTOR = 16;

const emit = (level: Level) => (m: Module) => {
  const madd = multiplyAdd[level];
  const turn = (a: Vector, b: Vector, cos: Vector, sin: Vector): [Vector, Vector] => [
    madd(f32x4.neg(b), sin, f32x4.mul(a, cos)),
    madd(b, cos, f32x4.mul(a, sin)),
  ];

  const one = { x: "i32", y: "i32", cos: "i32", sin: "i32", pairs: "i32" } as const;
  const halves = m.func("halves", one, (f, { x, y, cos, sin, pairs }) => {
    const [at, a, b] = [f.local("i32"), f.local("v128"), f.local("v128")];
    const half = f.let(i32.shl(pairs, 2));
    sweep(f, at, pairs, ({ load, store }) => {
      f.set(a, load(x));
      f.set(b, load(i32.add(x, half)));
      const [first, second] = turn(a, b, load(cos), load(sin));
      store(y, first);
      store(i32.add(y, half), second);
    });
  });

  const interleaved = m.func("interleaved", one, (f, { x, y, cos, sin, pairs }) => {
    const [at, a, b] = [f.local("i32"), f.local("v128"), f.local("v128")];
    const [first, second, next] = [f.local("v128"), f.local("v128"), f.local("v128")];
    let isVector = true;
    sweep(f, at, pairs, ({ load }) => {
      const [from, to] = [i32.add(x, i32.shl(at, 1)), i32.add(y, i32.shl(at, 1))];
      f.set(a, isVector ? v128.load(from) : v128.load64_zero(from));
      f.set(next, isVector ? v128.load(from, VECTOR) : a);
      f.set(b, i8x16.shuffle(a, next, lanes32(1, 3, 5, 7)));
      f.set(a, i8x16.shuffle(a, next, lanes32(0, 2, 4, 6)));
      const [turned, other] = turn(a, b, load(cos), load(sin));
      f.set(first, turned);
      f.set(second, other);
      f.set(a, i8x16.shuffle(first, second, lanes32(0, 4, 1, 5)));
      if (isVector) {
        f.do(v128.store(to, a));
        f.do(v128.store(to, i8x16.shuffle(first, second, lanes32(2, 6, 3, 7)), VECTOR));
      } else f.do(v128.store64_lane(to, a, 0));
      isVector = false;
    });
  });

  m.func("run", kernelParameters(ropeArgs), (f, v) => {
    const head = f.local("i32");
    const headBytes = f.let(i32.shl(v.pairs, 3));
    const angleBytes = f.let(i32.shl(v.pairs, 2));
    f.while(i32.gt_s(v.rows, 0), () => {
      f.for(head, 0, v.heads, 1, () => {
        f.if(
          v.interleaved,
          () => f.do(interleaved.call(v)),
          () => f.do(halves.call(v)),
        );
        f.set(v.x, i32.add(v.x, headBytes));
        f.set(v.y, i32.add(v.y, headBytes));
      });
      f.set(v.cos, i32.add(v.cos, angleBytes));
      f.set(v.sin, i32.add(v.sin, angleBytes));
      f.add(v.rows, -1);
    });
  });
};

export const ropeWasm: readonly WasmVariant[] = [
  { name: "vectors", level: "simd", spare: true, emit: emit("simd") },
  { name: "vectors, fma", level: "relaxed", emit: emit("relaxed") },
];
