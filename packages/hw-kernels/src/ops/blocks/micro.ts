import { f32x4, i32, type Module, v128 } from "../../asm/index.ts";
import type { Level } from "../../op.ts";
import { clampVector, multiplyAdd } from "../vectors.ts";

/** The part of a product that stays in registers: `rows` x `columns` numbers, the columns in vectors of four. */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly level: Level;
  /** Steps of k in one turn of the loop: 1, 2 or 4. Older engines run short loops best. */
  readonly unroll: number;
}

const FLOAT = 4;
const VECTOR = 16;
/** Packing pads k to multiples of this with zeros: every tile's `unroll` divides it. */
export const DEPTH_STEP = 4;

/**
 * Adds `micro` to a module: a tile of C from a panel of A and a panel of B.
 *
 *     sum[i, j] = sum over k of a[k, i] * b[k, j]        C[i, j] = clamp(sum + (accumulate ? C[i, j] : 0), low, high)
 *
 * a [depth, rows] and b [depth, columns] are packed without gaps; depth is a positive multiple of DEPTH_STEP; c's rows are
 * `stride` bytes apart. Each sum runs over k in order, so tiles of any shape give the same bits.
 */
export const addMicro = (m: Module, { rows, columns, level, unroll }: Tile) => {
  const madd = multiplyAdd[level];
  const vectors = columns / 4;
  return m.func(
    "micro",
    { a: "i32", b: "i32", c: "i32", stride: "i32", depth: "i32", accumulate: "i32", low: "f32", high: "f32" },
    (f, { a, b, c, stride, depth, accumulate, low, high }) => {
      const sums = Array.from({ length: rows }, () => f.locals("v128", vectors));
      const bs = f.locals("v128", vectors);
      const splat = f.local("v128");
      f.repeat(depth, unroll, () => {
        for (let k = 0; k < unroll; k++) {
          for (const [j, one] of bs.entries()) f.set(one, v128.load(b, k * columns * FLOAT + j * VECTOR));
          for (const [i, row] of sums.entries()) {
            f.set(splat, v128.load32_splat(a, (k * rows + i) * FLOAT));
            for (const [j, sum] of row.entries()) f.set(sum, madd(splat, bs[j]!, sum));
          }
        }
        f.add(a, unroll * rows * FLOAT);
        f.add(b, unroll * columns * FLOAT);
      });
      const [lows, highs] = [f.let(f32x4.splat(low)), f.let(f32x4.splat(high))];
      for (const row of sums) {
        f.if(accumulate, () => {
          for (const [j, sum] of row.entries()) f.set(sum, f32x4.add(v128.load(c, j * VECTOR), sum));
        });
        for (const [j, sum] of row.entries()) f.do(v128.store(c, clampVector(sum, lows, highs), j * VECTOR));
        f.set(c, i32.add(c, stride));
      }
    },
  );
};
