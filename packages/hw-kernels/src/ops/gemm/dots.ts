import { type Body, type Expr, f32x4, i32, type Local, type Module, v128 } from "../../asm/index.ts";
import type { Level } from "../../op.ts";
import { clampVector, multiplyAdd, sumLanes } from "../vectors.ts";

type Int = Expr<"i32">;
const FLOAT = 4;

const parameters = {
  a: "i32",
  strideA: "i32",
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
 * Adds a tile of C from rows of A and rows of B, strides in bytes. Each sum runs in four parts, every fourth k.
 *
 *     C[i, j] = clamp(alpha * (sum over k of A[i, k] * B[j, k]) + (accumulate ? C[i, j] : 0), low, high)
 */
const addTile = (m: Module, level: Level, rows: number, columns: number) => {
  const madd = multiplyAdd[level];
  return m.func(`dots${rows}x${columns}`, parameters, (f, v) => {
    const sums = Array.from({ length: rows }, () => f.locals("v128", columns));
    const [as, b] = [f.locals("v128", rows), f.local("v128")];
    const [rowsOfA, rowsOfB] = [f.locals("i32", rows), f.locals("i32", columns)];
    for (const [i, p] of rowsOfA.entries()) f.set(p, i ? i32.add(rowsOfA[i - 1]!, v.strideA) : v.a);
    for (const [j, p] of rowsOfB.entries()) f.set(p, j ? i32.add(rowsOfB[j - 1]!, v.strideB) : v.b);
    const step = (count: number, load: (from: Int) => Expr<"v128">) =>
      f.while(i32.ge_s(v.depth, count), () => {
        for (const [i, a] of as.entries()) f.set(a, load(rowsOfA[i]!));
        for (const [j, p] of rowsOfB.entries()) {
          f.set(b, load(p));
          for (const [i, a] of as.entries()) f.set(sums[i]![j]!, madd(a, b, sums[i]![j]!));
        }
        for (const p of [...rowsOfA, ...rowsOfB]) f.add(p, count * FLOAT);
        f.add(v.depth, -count);
      });
    step(4, (from) => v128.load(from));
    step(1, (from) => v128.load32_zero(from));
    const [alphas, lows, highs] = [f.let(f32x4.splat(v.alpha)), f.let(f32x4.splat(v.low)), f.let(f32x4.splat(v.high))];
    for (const row of sums) {
      for (const [j, sum] of row.entries()) {
        f.set(sum, f32x4.mul(sumLanes(sum, b, f.set), alphas));
        f.if(v.accumulate, () => f.set(sum, f32x4.add(v128.load32_zero(v.c, j * FLOAT), sum)));
        f.do(v128.store32_lane(v.c, clampVector(sum, lows, highs), 0, j * FLOAT));
      }
      f.set(v.c, i32.add(v.c, v.strideC));
    }
  });
};

interface DotProduct
  extends Readonly<Record<"m" | "n" | "k" | "a" | "strideA" | "b" | "strideB" | "c" | "strideC", Int>> {
  readonly accumulate: Int;
  readonly alpha: Expr<"f32">;
  readonly low: Expr<"f32">;
  readonly high: Expr<"f32">;
}

/** Rows of A that meet some rows of B while those are in the first cache. */
const SHAPES = [
  [4, 2],
  [2, 4],
  [1, 4],
] as const;

/** Adds products with few rows of A, of B': rows of both lie along k, so that each element is a dot product. */
export const addDots = (module: Module, level: Level) => {
  const shapes = SHAPES.map(([rows, columns]) => ({
    rows,
    widths: [columns, 1].map((width) => ({ width, tile: addTile(module, level, rows, width) })),
  }));
  return (f: Body, p: DotProduct): void => {
    const [i, j, end] = [f.local("i32"), f.local("i32"), f.local("i32")];
    const a = i32.add(p.a, i32.mul(i, p.strideA));
    const b = i32.add(p.b, i32.mul(j, p.strideB));
    const c = i32.add(p.c, i32.add(i32.mul(i, p.strideC), i32.shl(j, 2)));
    /** Columns up to `end` from j on, for all tiles of rows; j moves on. */
    const allRows = (from: Local<"i32">) => {
      f.set(i, 0);
      for (const { rows, widths } of shapes)
        f.while(i32.le_s(i32.add(i, rows), p.m), () => {
          f.set(j, from);
          for (const { width, tile } of widths)
            f.while(i32.le_s(i32.add(j, width), end), () => {
              f.do(tile.call({ ...p, a, b, c, depth: p.k }));
              f.add(j, width);
            });
          f.add(i, rows);
        });
    };
    const from = f.local("i32");
    f.for(from, 0, p.n, 4, () => {
      f.set(end, i32.add(from, 4));
      f.if(i32.gt_s(end, p.n), () => f.set(end, p.n));
      allRows(from);
    });
  };
};
