import { type Body, f64, f64x2, i32, type Module, v128 } from "../../asm/index.ts";
import type { Int } from "./pack.ts";

const VECTOR = 16;
const SUMS = 4;

/** Emits `body` for pairs of doubles, `unroll` at a time where there are so many, then for a last one. */
const pairs = (
  f: Body,
  count: Int,
  unroll: number,
  two: (at: number) => void,
  one: () => void,
  next: (by: number) => void,
) => {
  const left = f.let(count);
  const turn = (vectors: number) => {
    for (let i = 0; i < vectors; i++) two(i);
    next(vectors * VECTOR);
    f.add(left, -2 * vectors);
  };
  f.while(i32.ge_s(left, 2 * unroll), () => turn(unroll));
  f.while(i32.ge_s(left, 2), () => turn(1));
  f.if(left, one);
};

/** Adds `dot`: sum of a[i] b[i], in eight running sums. */
export const addDot = (m: Module) =>
  m.func("dot", { a: "i32", b: "i32", count: "i32" }, (f, { a, b, count }) => {
    const sums = f.locals("v128", SUMS);
    const last = f.local("f64");
    pairs(
      f,
      count,
      SUMS,
      (i) => {
        const product = f64x2.mul(v128.load(a, i * VECTOR), v128.load(b, i * VECTOR));
        f.set(sums[i]!, f64x2.add(sums[i]!, product));
      },
      () => f.set(last, f64.mul(f64.load(a), f64.load(b))),
      (by) => {
        f.add(a, by);
        f.add(b, by);
      },
    );
    f.set(sums[0]!, f64x2.add(f64x2.add(sums[0]!, sums[1]!), f64x2.add(sums[2]!, sums[3]!)));
    return f64.add(f64.add(f64x2.extract_lane(sums[0]!, 0), f64x2.extract_lane(sums[0]!, 1)), last);
  });

/** Adds `add`: y[i] += factor x[i]. */
export const addAdd = (m: Module) =>
  m.func("add", { factor: "f64", x: "i32", y: "i32", count: "i32" }, (f, { factor, x, y, count }) => {
    const factors = f.let(f64x2.splat(factor));
    pairs(
      f,
      count,
      SUMS,
      (i) => {
        const at = i * VECTOR;
        f.do(v128.store(y, f64x2.add(v128.load(y, at), f64x2.mul(factors, v128.load(x, at))), at));
      },
      () => f.do(f64.store(y, f64.add(f64.load(y), f64.mul(factor, f64.load(x))))),
      (by) => {
        f.add(x, by);
        f.add(y, by);
      },
    );
  });

/** Adds `rotate`: (x, y) <- (c x - s y, s x + c y). */
export const addRotate = (m: Module) =>
  m.func("rotate", { x: "i32", y: "i32", count: "i32", c: "f64", s: "f64" }, (f, { x, y, count, c, s }) => {
    const [cs, ss, a, b] = [f.let(f64x2.splat(c)), f.let(f64x2.splat(s)), f.local("v128"), f.local("v128")];
    const [one, other] = [f.local("f64"), f.local("f64")];
    pairs(
      f,
      count,
      2,
      (i) => {
        f.set(a, v128.load(x, i * VECTOR));
        f.set(b, v128.load(y, i * VECTOR));
        f.do(v128.store(x, f64x2.sub(f64x2.mul(cs, a), f64x2.mul(ss, b)), i * VECTOR));
        f.do(v128.store(y, f64x2.add(f64x2.mul(ss, a), f64x2.mul(cs, b)), i * VECTOR));
      },
      () => {
        f.set(one, f64.load(x));
        f.set(other, f64.load(y));
        f.do(f64.store(x, f64.sub(f64.mul(c, one), f64.mul(s, other))));
        f.do(f64.store(y, f64.add(f64.mul(s, one), f64.mul(c, other))));
      },
      (by) => {
        f.add(x, by);
        f.add(y, by);
      },
    );
  });
