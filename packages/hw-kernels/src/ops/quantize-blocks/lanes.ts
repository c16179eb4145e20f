import { type Body, type Expr, f32x4, f64x2, i8x16, i32, i32x4, type Local, v128 } from "../../asm/index.ts";
import { lanes32 } from "../vectors.ts";
import { GRID_MODES } from "./grid.ts";

type Vector = Local<"v128">;

/** 1.5 × 2^52: a float64 of this size holds whole numbers only, and its low word is what was added. Source: IEEE 754. */
const MAGIC = 6755399441055744;
/** 2^42 + 1 splits off the upper 11 bits of a float64. Source: Veltkamp, 1968. */
const SPLIT = 2 ** 42 + 1;
const [LEAST_HALF, MOST_HALF] = [2 ** -14, 65504];
const INFINITY_BITS = 0x7f800000;

export interface GridParameters {
  readonly mode: Local<"i32">;
  readonly highest: Local<"i32">;
  readonly half: Local<"i32">;
}

/** Four blocks side by side: what turns their values into codes. */
export interface FourGrids {
  /** Magnitudes of the extremes below and above 0. */
  readonly below: Vector;
  readonly above: Vector;
  readonly scale: Vector;
  /** Whole numbers of 32 bits. */
  readonly zero: Vector;
  readonly lowest: Vector;
  readonly highest: Vector;
  /** 1 / scale in float64, of the first two and of the last two. */
  readonly inverses: readonly [Vector, Vector];
  /** Ones where all values are finite. */
  readonly finite: Vector;
  readonly magic: Vector;
  readonly sign: Vector;
}

const upper = (x: Expr<"v128">) => i8x16.shuffle(x, x, lanes32(2, 3, 2, 3));
const promote = (x: Expr<"v128">, at: number) => f64x2.promote_low_f32x4(at === 0 ? x : upper(x));
const fourOf = (low: Expr<"v128">, high: Expr<"v128">) => i8x16.shuffle(low, high, lanes32(0, 1, 4, 5));

/** Variables for four grids, with what does not change set. */
export const fourGrids = (f: Body, { mode, highest }: GridParameters): FourGrids => {
  const [below, above, scale, zero, finite, first, second] = f.locals("v128", 7) as [
    Vector,
    Vector,
    Vector,
    Vector,
    Vector,
    Vector,
    Vector,
  ];
  return {
    ...{ below, above, scale, zero, finite, inverses: [first, second] },
    lowest: f.let(i32x4.splat(i32.eq(mode, GRID_MODES.narrow))),
    highest: f.let(i32x4.splat(highest)),
    magic: f.let(f64x2.splat(MAGIC)),
    sign: f.let(i32x4.splat(-0x80000000)),
  };
};

/** most = max(most, w), least = max(least, -w), from 0: bits of positive floats order as integers, NaN on top. */
export const widen = (f: Body, least: Vector, most: Vector, w: Vector, sign: Vector): void => {
  f.set(most, i32x4.max_s(most, w));
  f.set(least, i32x4.max_s(least, v128.xor(w, sign)));
};

/** Scales, zero points and inverses by the extremes. */
export const gridsFromExtremes = (f: Body, g: FourGrids, { mode, highest, half }: GridParameters): (() => void) => {
  const [first, second] = [f.local("v128"), f.local("v128")];
  const [exact, scale, rounded, split] = [f.local("v128"), f.local("v128"), f.local("v128"), f.local("v128")];
  const whole = [f.local("v128"), f.local("v128")] as const;
  const middle = f.let(i32.shr_u(i32.add(highest, 1), 1));
  const isAffine = f.let(i32.eqz(mode));
  const halfMask = f.let(i32x4.splat(i32.sub(0, half)));
  // highest, -middle or middle - 1
  const divisor = f.local("v128");
  f.if(
    isAffine,
    () => f.set(divisor, f64x2.convert_low_i32x4_s(g.highest)),
    () => {
      f.if(
        i32.eq(mode, GRID_MODES.full),
        () => f.set(divisor, f64x2.convert_low_i32x4_s(i32x4.splat(i32.sub(0, middle)))),
        () => f.set(divisor, f64x2.convert_low_i32x4_s(i32x4.splat(i32.sub(middle, 1)))),
      );
    },
  );
  return () => {
    f.set(g.finite, i32x4.lt_s(i32x4.max_s(g.below, g.above), i32x4.splat(INFINITY_BITS)));
    // first + second is hi - lo, the extreme, or the greatest magnitude
    f.set(first, g.above);
    f.set(second, g.below);
    f.if(i32.eqz(isAffine), () => {
      f.set(second, v128.const(Array(16).fill(0)));
      f.if(
        i32.eq(mode, GRID_MODES.full),
        () => f.set(first, v128.bitselect(g.above, v128.xor(g.below, g.sign), i32x4.gt_s(g.above, g.below))),
        () => f.set(first, i32x4.max_s(g.above, g.below)),
      );
    });
    for (const at of [0, 1] as const) {
      f.set(exact, f64x2.div(f64x2.add(promote(first, at), promote(second, at)), divisor));
      f.set(scale, f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(exact)));
      // float16's 11 bits where it has them all: t - (t - x), t = (2^42 + 1) x
      f.set(split, f64x2.mul(exact, f64x2.splat(SPLIT)));
      f.set(rounded, f64x2.sub(split, f64x2.sub(split, exact)));
      f.set(exact, f64x2.abs(exact));
      f.set(
        scale,
        v128.bitselect(
          rounded,
          scale,
          v128.and(
            halfMask,
            v128.and(f64x2.ge(exact, f64x2.splat(LEAST_HALF)), f64x2.le(exact, f64x2.splat(MOST_HALF))),
          ),
        ),
      );
      f.set(scale, v128.bitselect(f64x2.splat(1), scale, f64x2.eq(scale, f64x2.splat(0))));
      f.set(g.inverses[at], f64x2.div(f64x2.splat(1), scale));
      f.set(whole[at], f64x2.add(f64x2.div(promote(g.below, at), scale), g.magic));
      if (at === 0) f.set(g.scale, f32x4.demote_f64x2_zero(scale));
      else f.set(g.scale, fourOf(g.scale, f32x4.demote_f64x2_zero(scale)));
    }
    f.if(
      isAffine,
      () => f.set(g.zero, i32x4.min_s(g.highest, i8x16.shuffle(whole[0], whole[1], lanes32(0, 2, 4, 6)))),
      () => f.set(g.zero, i32x4.splat(middle)),
    );
    f.set(g.scale, v128.bitselect(g.scale, f32x4.const(Number.NaN), g.finite));
    f.set(g.zero, v128.and(g.zero, g.finite));
  };
};

/** round(w * inverse) of four values as whole numbers of 32 bits; the inverses are those of the first and last two. */
export const roundFour = (w: Vector, [low, high]: readonly [Vector, Vector], magic: Vector): Expr<"v128"> =>
  i8x16.shuffle(
    f64x2.add(f64x2.mul(promote(w, 0), low), magic),
    f64x2.add(f64x2.mul(promote(w, 1), high), magic),
    lanes32(0, 2, 4, 6),
  );
