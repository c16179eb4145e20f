import { type Body, type Expr, f32, f32x4, i32, type Module, select, v128 } from "../../asm/index.ts";
import type { Level } from "../../op.ts";
import type { Tile } from "../blocks/micro.ts";
import { clampVector, multiplyAdd } from "../vectors.ts";

type Int = Expr<"i32">;
const VECTOR = 16;
/** Rows of B that stay in the first cache while all rows of A meet them. */
const DEPTH = 32;

const parameters = {
  a: "i32",
  acrossA: "i32",
  alongA: "i32",
  b: "i32",
  strideB: "i32",
  c: "i32",
  strideC: "i32",
  depth: "i32",
  accumulate: "i32",
  alpha: "f32",
  low: "f32",
  high: "f32",
} as const;

/**
 * Adds a tile of C from rows of A and columns of B where they lie; strides in bytes, from row to row and from k to k of A.
 *
 *     C[i, j] = clamp(alpha * (sum over k of A[i, k] * B[k, j]) + (accumulate ? C[i, j] : 0), low, high)
 */
const addTile = (m: Module, level: Level, rows: number, columns: number) => {
  const madd = multiplyAdd[level];
  const vectors = Math.ceil(columns / 4);
  const single = columns === 1;
  const load = (from: Int, j: number) => (single ? v128.load32_zero(from) : v128.load(from, j * VECTOR));
  return m.func(`tile${rows}x${columns}`, parameters, (f, v) => {
    const sums = Array.from({ length: rows }, () => f.locals("v128", vectors));
    const bs = f.locals("v128", vectors);
    const splat = f.local("v128");
    const pointers = f.locals("i32", rows);
    for (const [i, p] of pointers.entries()) f.set(p, i ? i32.add(pointers[i - 1]!, v.acrossA) : v.a);
    f.repeat(v.depth, 1, () => {
      for (const [j, part] of bs.entries()) f.set(part, load(v.b, j));
      for (const [i, row] of sums.entries()) {
        f.set(splat, v128.load32_splat(pointers[i]!));
        for (const [j, sum] of row.entries()) f.set(sum, madd(splat, bs[j]!, sum));
      }
      for (const p of pointers) f.set(p, i32.add(p, v.alongA));
      f.set(v.b, i32.add(v.b, v.strideB));
    });
    const [alphas, lows, highs] = [f.let(f32x4.splat(v.alpha)), f.let(f32x4.splat(v.low)), f.let(f32x4.splat(v.high))];
    for (const row of sums) {
      for (const sum of row) f.set(sum, f32x4.mul(sum, alphas));
      f.if(v.accumulate, () => {
        for (const [j, sum] of row.entries()) f.set(sum, f32x4.add(load(v.c, j), sum));
      });
      for (const [j, sum] of row.entries()) {
        const value = clampVector(sum, lows, highs);
        f.do(single ? v128.store32_lane(v.c, value, 0) : v128.store(v.c, value, j * VECTOR));
      }
      f.set(v.c, i32.add(v.c, v.strideC));
    }
  });
};

interface DirectProduct extends Readonly<Record<"m" | "n" | "k" | "a" | "acrossA" | "alongA", Int>> {
  readonly b: Int;
  readonly strideB: Int;
  readonly c: Int;
  readonly strideC: Int;
  readonly accumulate: Int;
  readonly alpha: Expr<"f32">;
  readonly low: Expr<"f32">;
  readonly high: Expr<"f32">;
}

/**
 * Adds products with few rows of A, for which packing B would take longer than multiplying it: B is read once, where it
 * lies, row by row. Sums run over DEPTH steps of k in registers, and from there on in C.
 */
export const addDirect = (module: Module, { rows, columns, level }: Tile) => {
  const heights = [...new Set([rows, 4, 2, 1])];
  const tiles = heights.map((height) => ({
    height,
    widths: [columns, 4, 1].map((width) => ({ width, tile: addTile(module, level, height, width) })),
  }));
  return (f: Body, p: DirectProduct): void => {
    const [i, j, k, depth, accumulate] = [
      f.local("i32"),
      f.local("i32"),
      f.local("i32"),
      f.local("i32"),
      f.local("i32"),
    ];
    const [low, high] = [f.local("f32"), f.local("f32")];
    f.for(k, 0, p.k, DEPTH, () => {
      f.set(depth, select(i32.const(DEPTH), i32.sub(p.k, k), i32.ge_s(i32.sub(p.k, k), DEPTH)));
      f.set(accumulate, i32.or(p.accumulate, i32.gt_s(k, 0)));
      const isLast = i32.eq(i32.add(k, depth), p.k);
      f.set(low, select(p.low, f32.const(-Infinity), isLast));
      f.set(high, select(p.high, f32.const(Infinity), isLast));
      const a = i32.add(p.a, i32.add(i32.mul(i, p.acrossA), i32.mul(k, p.alongA)));
      const b = i32.add(p.b, i32.add(i32.mul(k, p.strideB), i32.shl(j, 2)));
      const c = i32.add(p.c, i32.add(i32.mul(i, p.strideC), i32.shl(j, 2)));
      f.set(i, 0);
      for (const { height, widths } of tiles)
        f.while(i32.le_s(i32.add(i, height), p.m), () => {
          f.set(j, 0);
          for (const { width, tile } of widths)
            f.while(i32.le_s(i32.add(j, width), p.n), () => {
              f.do(tile.call({ ...p, a, b, c, depth, accumulate, low, high }));
              f.add(j, width);
            });
          f.add(i, height);
        });
    });
  };
};
