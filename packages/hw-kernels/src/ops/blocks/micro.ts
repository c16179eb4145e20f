import { type Body, f32x4, i32, type Local, type Locals, type Module, v128 } from "../../asm/index.ts";
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

const parameters = {
  a: "i32",
  b: "i32",
  c: "i32",
  stride: "i32",
  depth: "i32",
  accumulate: "i32",
  low: "f32",
  high: "f32",
} as const;

/** C[i, j] = clamp(sum[i, j] + (accumulate ? C[i, j] : 0), low, high) */
const finish = (f: Body, v: Locals<typeof parameters>, sums: readonly (readonly Local<"v128">[])[]) => {
  const [lows, highs] = [f.let(f32x4.splat(v.low)), f.let(f32x4.splat(v.high))];
  for (const row of sums) {
    f.if(v.accumulate, () => {
      for (const [j, sum] of row.entries()) f.set(sum, f32x4.add(v128.load(v.c, j * VECTOR), sum));
    });
    for (const [j, sum] of row.entries()) f.do(v128.store(v.c, clampVector(sum, lows, highs), j * VECTOR));
    f.set(v.c, i32.add(v.c, v.stride));
  }
};

/** sum[i, j] += a[k, i] * b[k, j] for one k; a, and b with an offset for its vectors, at these addresses. */
const step = (f: Body, { rows, columns, level }: Tile) => {
  const madd = multiplyAdd[level];
  const sums = Array.from({ length: rows }, () => f.locals("v128", columns / 4));
  const bs = f.locals("v128", columns / 4);
  const splat = f.local("v128");
  const add = (a: Local<"i32">, offsetA: number, b: Local<"i32">, offsetB: number) => {
    for (const [j, one] of bs.entries()) f.set(one, v128.load(b, offsetB + j * VECTOR));
    for (const [i, row] of sums.entries()) {
      f.set(splat, v128.load32_splat(a, offsetA + i * FLOAT));
      for (const [j, sum] of row.entries()) f.set(sum, madd(splat, bs[j]!, sum));
    }
  };
  return { sums, add };
};

/**
 * Adds `micro` to a module: a tile of C from a panel of A and a panel of B.
 *
 *     sum[i, j] = sum over k of a[k, i] * b[k, j]        C[i, j] = clamp(sum + (accumulate ? C[i, j] : 0), low, high)
 *
 * a [depth, rows] and b [depth, columns] are packed without gaps; depth is a positive multiple of DEPTH_STEP; c's rows are
 * `stride` bytes apart. Each sum runs over k in order, so tiles of any shape give the same bits.
 */
export const addMicro = (m: Module, tile: Tile) =>
  m.func("micro", parameters, (f, v) => {
    const { sums, add } = step(f, tile);
    const [bytesA, bytesB] = [tile.rows * FLOAT, tile.columns * FLOAT];
    f.repeat(v.depth, tile.unroll, () => {
      for (let k = 0; k < tile.unroll; k++) add(v.a, k * bytesA, v.b, k * bytesB);
      f.add(v.a, tile.unroll * bytesA);
      f.add(v.b, tile.unroll * bytesB);
    });
    finish(f, v, sums);
  });

/** Adds `microApart`: the same where row k of b lies at b + along[k], a table of byte offsets; any depth from 1. */
export const addMicroApart = (m: Module, tile: Tile) =>
  m.func("microApart", { ...parameters, along: "i32" }, (f, v) => {
    const { sums, add } = step(f, tile);
    const row = f.local("i32");
    f.repeat(v.depth, 1, () => {
      f.set(row, i32.add(v.b, i32.load(v.along)));
      add(v.a, 0, row, 0);
      f.add(v.a, tile.rows * FLOAT);
      f.add(v.along, FLOAT);
    });
    finish(f, v, sums);
  });
