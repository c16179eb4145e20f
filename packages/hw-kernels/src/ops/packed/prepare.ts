import {
  type Body,
  type Expr,
  i8x16,
  i16x8,
  i32,
  i32x4,
  type Local,
  type Module,
  select,
  v128,
} from "../../asm/index.ts";
import type { KernelLocals } from "../../op.ts";
import { GROUP } from "./formats.ts";
import type { ActivationType, PackedArgs } from "./op.ts";

export type PackedLocals = KernelLocals<PackedArgs>;
type Int = Expr<"i32">;
const VECTOR = 16;
const CACHE_LINE = 64;

/** The address behind `bytes` bytes at `start`, on a new cache line. */
export const behind = (start: Int, bytes: Int): Int =>
  i32.and(i32.add(i32.add(start, bytes), CACHE_LINE - 1), -CACHE_LINE);

/**
 * 1.5 × 2^23: whole numbers below 2^22 that are added to its bits make the float32 that is larger by as much. A sum that
 * starts there turns into a float by a subtraction, of which some processors can do more at once than of conversions.
 */
export const MAGIC = 12582912;
/** 1.5 × 2^19: the same for sixteenths. */
export const SIXTEENTHS = 786432;
export const bitsOf = (x: number): number => new Int32Array(Float32Array.of(x).buffer)[0]!;

/**
 * Adds `pairs`: for each block b and row i a pair at `to`, [blocks, m]: the scale of the activations, and what corrects
 * the dot product for zero points: -zero * sum and `start`, or -sum where zero points differ.
 */
export const addBlockPairs = (m: Module, start = 0) =>
  m.func(
    "pairs",
    { to: "i32", scales: "i32", sums: "i32", zeros: "i32", zero: "i32", m: "i32", blocks: "i32" },
    (f, v) => {
      const [row, at, left] = [f.local("i32"), f.local("i32"), f.local("i32")];
      const factor = f.let(i32.sub(0, v.zero));
      f.if(v.zeros, () => f.set(factor, -1));
      f.for(row, 0, v.m, 1, () => {
        f.set(at, i32.add(v.to, i32.shl(row, 3)));
        f.set(left, v.blocks);
        f.repeat(left, 1, () => {
          f.do(i32.store(at, i32.load(v.scales)));
          f.do(
            i32.store(
              at,
              i32.add(i32.mul(i32.load(v.sums), factor), select(i32.const(0), i32.const(start), v.zeros)),
              4,
            ),
          );
          f.add(v.scales, 4);
          f.add(v.sums, 4);
          f.add(at, i32.shl(v.m, 3));
        });
      });
    },
  );

/** The bytes of a shuffle of words. */
const words = (...from: number[]) => from.flatMap((word) => [2 * word, 2 * word + 1]);
const PAIRS = [0, 2, 1, 3, 4, 6, 5, 7];

/**
 * Adds `widen`: activations as words, the pairs of each four k beside each other (0, 2, 1, 3), times a power of two that
 * repeats every `span` k: what the scale of that pair's plane leaves to 256, or 1.
 */
export const addWiden = (m: Module, type: ActivationType, span: number, factors: readonly number[]) =>
  m.func("widen", { to: "i32", from: "i32", count: "i32" }, (f, { to, from, count }) => {
    const isPlain = factors.every((factor) => factor === 1);
    const vectors = Math.max(span, GROUP * 2) / GROUP;
    const x = f.local("v128");
    f.repeat(count, vectors * GROUP, () => {
      for (let i = 0; i < vectors; i++) {
        f.set(x, type === "i8" ? v128.load8x8_s(from, i * GROUP) : v128.load(from, i * VECTOR));
        const moved = i8x16.shuffle(x, x, words(...PAIRS));
        const lanes = Array.from({ length: GROUP }, (_, lane) => factors[((i * GROUP + lane) >> 1) % (span / 2)]!);
        f.do(v128.store(to, isPlain ? moved : i16x8.mul(moved, f.constant(i16x8.const(lanes))), i * VECTOR));
      }
      f.add(from, vectors * GROUP * (type === "i8" ? 1 : 2));
      f.add(to, vectors * VECTOR);
    });
  });

/** Four zero points as whole numbers of 32 bits. */
export const fourZeros = (at: Int, offset: number): Expr<"v128"> =>
  i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(at, offset)));

/** Adds `store`: 8 sums, or the first `columns` of them, clamped, to y. `spare` has room for 8. */
export const addStore = (m: Module) =>
  m.func(
    "store",
    { y: "i32", columns: "i32", spare: "i32", first: "v128", second: "v128" },
    (f, { y, columns, spare, first, second }) => {
      f.if(
        i32.ge_s(columns, GROUP),
        () => {
          f.do(v128.store(y, first));
          f.do(v128.store(y, second, VECTOR));
        },
        () => {
          f.do(v128.store(spare, first));
          f.do(v128.store(spare, second, VECTOR));
          copyFloats(f, y, spare, columns);
        },
      );
    },
  );

/** Copies numbers one by one; moves `to`, `from` and `count` on. */
export const copyFloats = (f: Body, to: Local<"i32">, from: Local<"i32">, count: Local<"i32">): void =>
  f.while(i32.gt_s(count, 0), () => {
    f.do(i32.store(to, i32.load(from)));
    f.add(to, 4);
    f.add(from, 4);
    f.add(count, -1);
  });

/**
 * Loads the numbers of a group from `source` on into two vectors, zeros behind the `left` that are there; zeros alone where
 * the array, at `base`, is not there.
 */
export const loadGroup = (
  f: Body,
  [first, second]: readonly [Local<"v128">, Local<"v128">],
  { base, source, left, spare }: { base: Int; source: Int; left: Int; spare: Int },
): void => {
  const [to, from, count] = [f.local("i32"), f.local("i32"), f.local("i32")];
  f.set(first, i32x4.const(0));
  f.set(second, i32x4.const(0));
  f.if(base, () => {
    f.do(v128.store(spare, first));
    f.do(v128.store(spare, first, VECTOR));
    f.set(to, spare);
    f.set(from, source);
    f.set(count, select(i32.const(GROUP), left, i32.gt_s(left, GROUP)));
    copyFloats(f, to, from, count);
    f.set(first, v128.load(spare));
    f.set(second, v128.load(spare, VECTOR));
  });
};
