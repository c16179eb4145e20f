import {
  type Body,
  type Expr,
  f32,
  f32x4,
  i8x16,
  i32,
  type Local,
  type Module,
  select,
  v128,
} from "../../asm/index.ts";
import { lanes32 } from "../vectors.ts";
import { DEPTH_STEP } from "./micro.ts";

const FLOAT = 4;

type Vector = Expr<"v128">;
const lows = (a: Vector, b: Vector) => i8x16.shuffle(a, b, lanes32(0, 4, 1, 5));
const highs = (a: Vector, b: Vector) => i8x16.shuffle(a, b, lanes32(2, 6, 3, 7));
const lowHalves = (a: Vector, b: Vector) => i8x16.shuffle(a, b, lanes32(0, 1, 4, 5));
const highHalves = (a: Vector, b: Vector) => i8x16.shuffle(a, b, lanes32(2, 3, 6, 7));

/** rows r0..r3 of four numbers become columns, in place. */
const transpose4 = (f: Body, r: readonly Local<"v128">[], t: readonly Local<"v128">[]) => {
  f.set(t[0]!, lows(r[0]!, r[1]!));
  f.set(t[1]!, highs(r[0]!, r[1]!));
  f.set(t[2]!, lows(r[2]!, r[3]!));
  f.set(t[3]!, highs(r[2]!, r[3]!));
  f.set(r[0]!, lowHalves(t[0]!, t[2]!));
  f.set(r[1]!, highHalves(t[0]!, t[2]!));
  f.set(r[2]!, lowHalves(t[1]!, t[3]!));
  f.set(r[3]!, highHalves(t[1]!, t[3]!));
};

/** Stores the first `count` lanes of a vector, 1 to 4. */
const storeLanes = (f: Body, address: Expr<"i32">, value: Local<"v128">, count: number, offset: number) => {
  if (count === 4) f.do(v128.store(address, value, offset));
  if (count === 2 || count === 3) f.do(v128.store64_lane(address, value, 0, offset));
  if (count === 1) f.do(v128.store32_lane(address, value, 0, offset));
  if (count === 3) f.do(v128.store32_lane(address, value, 2, offset + 8));
};
const loadLanes = (address: Expr<"i32">, count: number, offset: number): Vector => {
  if (count === 4) return v128.load(address, offset);
  if (count === 1) return v128.load32_zero(address, offset);
  const two = v128.load64_zero(address, offset);
  return count === 2 ? two : v128.load32_lane(address, two, 2, offset + 8);
};

/** The parts of a row of `width` numbers that fit vectors: [first, count] each. */
const parts = (width: number): [first: number, count: number][] =>
  Array.from({ length: Math.ceil(width / 4) }, (_, i) => [i * 4, Math.min(4, width - i * 4)]);

/** Zeros after the last step, up to a multiple of DEPTH_STEP. */
const pad = (f: Body, to: Local<"i32">, depth: Local<"i32">, width: number) => {
  const left = f.let(i32.and(i32.sub(0, depth), DEPTH_STEP - 1));
  const zero = f.let(f32x4.const(0));
  f.while(i32.gt_s(left, 0), () => {
    for (const [first, count] of parts(width)) storeLanes(f, to, zero, count, first * FLOAT);
    f.add(to, width * FLOAT);
    f.add(left, -1);
  });
};

const parameters = {
  from: "i32",
  stride: "i32",
  to: "i32",
  depth: "i32",
  width: "i32",
  factor: "f32",
} as const;

/**
 * Adds the packing of panels `width` wide for `micro`: to[k, j] = factor * from[k, j], k below depth, padded with zeros to
 * a multiple of DEPTH_STEP. Of a panel at the edge only the first `width` (the argument) columns exist; the others get any
 * numbers, which the caller ignores. `stride` is in bytes.
 *
 *     alongRows     from[k, j] lies at k * stride + j
 *     alongColumns  from[k, j] lies at k + j * stride
 */
export const addPacking = (m: Module, name: string, fullWidth: number) => {
  const alongRows = m.func(`${name}Rows`, parameters, (f, { from, stride, to, depth, width, factor }) => {
    const factors = f.let(f32x4.splat(factor));
    const value = f.local("v128");
    const [k, j] = [f.local("i32"), f.local("i32")];
    const next = () => {
      f.add(from, stride);
      f.add(to, fullWidth * FLOAT);
    };
    f.if(
      i32.eq(width, fullWidth),
      () =>
        f.for(k, 0, depth, 1, () => {
          for (const [first, count] of parts(fullWidth)) {
            f.set(value, f32x4.mul(factors, loadLanes(from, count, first * FLOAT)));
            storeLanes(f, to, value, count, first * FLOAT);
          }
          next();
        }),
      () =>
        f.for(k, 0, depth, 1, () => {
          f.for(j, 0, width, 1, () => {
            const at = i32.shl(j, 2);
            f.do(f32.store(i32.add(to, at), f32.mul(factor, f32.load(i32.add(from, at)))));
          });
          f.for(j, width, fullWidth, 1, () => f.do(f32.store(i32.add(to, i32.shl(j, 2)), 0)));
          next();
        }),
    );
    pad(f, to, depth, fullWidth);
  });

  const alongColumns = m.func(`${name}Columns`, parameters, (f, { from, stride, to, depth, width, factor }) => {
    const factors = f.let(f32x4.splat(factor));
    const [r, t] = [f.locals("v128", 4), f.locals("v128", 4)];
    const k = f.local("i32");
    const last = f.let(i32.sub(width, 1));
    // Columns past the edge repeat the last one.
    const pointers = f.locals("i32", fullWidth);
    for (const [j, p] of pointers.entries()) {
      const column = j === 0 ? i32.const(0) : select(i32.const(j), last, i32.lt_s(j, last));
      f.set(p, i32.add(from, i32.mul(column, stride)));
    }
    const groups = parts(fullWidth);
    const next = (steps: number) => {
      for (const p of pointers) f.add(p, steps * FLOAT);
      f.add(to, steps * fullWidth * FLOAT);
    };
    f.set(k, 4);
    f.while(i32.le_s(k, depth), () => {
      for (const [first, count] of groups) {
        for (let j = 0; j < 4; j++) if (j < count) f.set(r[j]!, f32x4.mul(factors, v128.load(pointers[first + j]!)));
        transpose4(f, r, t);
        for (let step = 0; step < 4; step++) storeLanes(f, to, r[step]!, count, (step * fullWidth + first) * FLOAT);
      }
      next(4);
      f.add(k, 4);
    });
    f.for(k, i32.and(depth, -4), depth, 1, () => {
      for (const [j, p] of pointers.entries()) f.do(f32.store(to, f32.mul(factor, f32.load(p)), j * FLOAT));
      next(1);
    });
    pad(f, to, depth, fullWidth);
  });
  return { alongRows, alongColumns };
};

/** Pieces for other ways to pack. */
export const packing = { loadLanes, storeLanes, parts, transpose4, pad };
