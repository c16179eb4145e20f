import { type Body, type Expr, f32x4, i32, i32x4, type Local, type Module, v128 } from "../../asm/index.ts";
import { kernelParameters, type Level, type WasmVariant } from "../../op.ts";
import { clampVector } from "../vectors.ts";
import { type CodeFormat, GROUP, unitBytes } from "./formats.ts";
import { type ActivationType, blockStep, DEPTH, packedArgs } from "./op.ts";
import {
  addBlockPairs,
  addStore,
  addWiden,
  behind,
  bitsOf,
  fourZeros,
  loadGroup,
  MAGIC,
  type PackedLocals,
} from "./prepare.ts";

type Vector = Local<"v128">;
const VECTOR = 16;

interface Method {
  readonly format: CodeFormat;
  readonly type: ActivationType;
  readonly level: Level;
}

/** Adds `unpack`: codes of one group as bytes, 4 k of each row together, or as words, a pair of k of each row together. */
const addUnpack = (m: Module, { format, level }: Method) =>
  m.func("unpack", { to: "i32", codes: "i32", count: "i32" }, (f, { to, codes, count }) => {
    const half = format.vectors * VECTOR;
    const vectors = [f.locals("v128", format.vectors), f.locals("v128", format.vectors)] as const;
    f.repeat(count, format.span, () => {
      for (const [h, vs] of vectors.entries())
        for (const [j, v] of vs.entries()) f.set(v, v128.load(codes, h * half + j * VECTOR));
      const put = (at: number, value: (v: Vector[]) => ReturnType<typeof v128.load>) => {
        for (const [h, vs] of vectors.entries()) f.do(v128.store(to, value(vs), (2 * at + h) * VECTOR));
      };
      if (level === "relaxed") for (let t = 0; t < format.span / 4; t++) put(t, (v) => format.quad(f, v, t));
      else for (const { pair, value } of format.planes(false)) put(pair, (v) => value(f, v));
      f.add(codes, unitBytes(format));
      f.add(to, format.span * GROUP * (level === "relaxed" ? 1 : 2));
    });
  });

/** dots[i][h] += a dot product of one vector of each half of the panel and what each row of A has for it. */
const addStep = (
  f: Body,
  level: Level,
  step: number,
  { a, panel, dots, halves }: { a: Local<"i32">[]; panel: Local<"i32">; dots: Vector[][]; halves: Vector[] },
  splat: Vector,
) => {
  for (const [h, half] of halves.entries()) f.set(half, v128.load(panel, (2 * step + h) * VECTOR));
  for (const [i, row] of dots.entries()) {
    f.set(splat, v128.load32_splat(a[i]!, 4 * step));
    for (const [h, dot] of row.entries())
      f.set(
        dot,
        level === "relaxed"
          ? i32x4.relaxed_dot_i8x16_i7x16_add_s(splat, halves[h]!, dot)
          : i32x4.add(dot, i32x4.dot_i16x8_s(splat, halves[h]!)),
      );
  }
};

/**
 * Adds a tile: the products of `rows` rows of A, `strideA` bytes apart, with the unpacked blocks of one group, added to
 * the sums of those rows at `c`, 8 each. `pairs` as `addBlockPairs` made them, blocks `pairStep` bytes apart.
 */
const addTile = (m: Module, { format, level }: Method, rows: number, withZeros: boolean) =>
  m.func(
    `tile${rows}${withZeros ? "z" : ""}`,
    {
      ...{ a: "i32", strideA: "i32", panel: "i32", scales: "i32", zeros: "i32", pairs: "i32", pairStep: "i32" },
      ...{ c: "i32", blocks: "i32", blockSize: "i32" },
    },
    (f, v) => {
      const dots = Array.from({ length: rows }, () => f.locals("v128", 2));
      const halves = f.locals("v128", 2);
      const splat = f.local("v128");
      const left = f.local("i32");
      const a = f.locals("i32", rows);
      for (const [i, p] of a.entries()) f.set(p, i ? i32.add(a[i - 1]!, v.strideA) : v.a);
      const places = { a, panel: v.panel, dots, halves };
      const depth = blockStep(format);
      const perStep = level === "relaxed" ? 4 : 2;
      const magic = f32x4.const(MAGIC);
      const start = (sum: Expr<"v128">) => (level === "relaxed" ? i32x4.add(sum, f.constant(magic)) : sum);
      const whole = (sum: Vector) =>
        level === "relaxed" ? f32x4.sub(sum, f.constant(magic)) : f32x4.convert_i32x4_s(sum);
      f.repeat(v.blocks, 1, () => {
        if (withZeros) for (const [h, half] of halves.entries()) f.set(half, fourZeros(v.zeros, 4 * h));
        for (const [i, row] of dots.entries()) {
          f.set(splat, v128.load32_splat(v.pairs, 8 * i + 4));
          for (const [h, dot] of row.entries()) f.set(dot, withZeros ? start(i32x4.mul(splat, halves[h]!)) : splat);
        }
        f.set(left, v.blockSize);
        f.repeat(left, depth, () => {
          for (let step = 0; step < depth / perStep; step++) addStep(f, level, step, places, splat);
          for (const p of a) f.add(p, level === "relaxed" ? depth : 2 * depth);
          f.add(v.panel, depth * GROUP * (level === "relaxed" ? 1 : 2));
        });
        for (const [h, half] of halves.entries()) f.set(half, v128.load(v.scales, h * VECTOR));
        for (const [i, row] of dots.entries()) {
          f.set(splat, v128.load32_splat(v.pairs, 8 * i));
          for (const [h, dot] of row.entries()) {
            const at = (2 * i + h) * VECTOR;
            const product = f32x4.mul(whole(dot), f32x4.mul(halves[h]!, splat));
            f.do(v128.store(v.c, f32x4.add(v128.load(v.c, at), product), at));
          }
        }
        f.add(v.scales, GROUP * 4);
        if (withZeros) f.add(v.zeros, GROUP);
        f.add(v.pairs, v.pairStep);
      });
    },
  );

const emit = (method: Method, heights: readonly number[]) => (m: Module) => {
  const { format, type, level } = method;
  const pairs = addBlockPairs(m, level === "relaxed" ? bitsOf(MAGIC) : 0);
  const widen = addWiden(m, type, format.span, Array<number>(format.span / 2).fill(1));
  const unpack = addUnpack(m, method);
  const store = addStore(m);
  const tiles = heights.map((height) => ({
    height,
    plain: addTile(m, method, height, false),
    withZeros: addTile(m, method, height, true),
  }));
  m.func("run", kernelParameters(packedArgs[type]), (f, p: PackedLocals) => {
    const blocks = f.let(i32.div_u(p.k, p.blockSize));
    const unit = unitBytes(format) / format.span;
    const codeSize = level === "relaxed" ? 1 : 2;
    /** Blocks that are unpacked at once. */
    const together = f.let(i32.div_u(i32.const(DEPTH), p.blockSize));
    f.if(i32.eqz(together), () => f.set(together, 1));
    f.if(i32.gt_s(together, blocks), () => f.set(together, blocks));
    const spare = f.let(behind(p.scratch, i32.const(0)));
    const pairsAt = f.let(i32.add(spare, GROUP * 4));
    const panel = f.let(behind(pairsAt, i32.shl(i32.mul(p.m, blocks), 3)));
    const c = f.let(behind(panel, i32.mul(i32.mul(together, p.blockSize), GROUP * codeSize)));
    const wide = f.let(behind(c, i32.mul(p.m, GROUP * 4)));
    const strideA = f.let(level === "relaxed" ? p.k : i32.shl(p.k, 1));
    const [column, row, block, count, left] = f.locals("i32", 5) as [
      Local<"i32">,
      Local<"i32">,
      Local<"i32">,
      Local<"i32">,
      Local<"i32">,
    ];
    const [scales, zeros, at, pairAt, sums] = f.locals("i32", 5) as [
      Local<"i32">,
      Local<"i32">,
      Local<"i32">,
      Local<"i32">,
      Local<"i32">,
    ];
    const [low, high] = [f.let(f32x4.splat(p.low)), f.let(f32x4.splat(p.high))];
    const to = f.local("i32");
    const [first, second] = [f.local("v128"), f.local("v128")];
    f.if(i32.and(i32.gt_s(p.m, 0), i32.gt_s(p.k, 0)), () => {
      f.do(pairs.call({ to: pairsAt, scales: p.aScales, sums: p.aSums, zeros: p.zeros, zero: p.zero, m: p.m, blocks }));
      if (level !== "relaxed") f.do(widen.call({ to: wide, from: p.a, count: i32.mul(p.m, p.k) }));
    });
    f.for(column, 0, p.n, GROUP, () => {
      f.set(left, i32.sub(p.n, column));
      // sums start at the bias
      loadGroup(f, [first, second], { base: p.bias, source: i32.add(p.bias, i32.shl(column, 2)), left, spare });
      f.set(sums, c);
      f.for(row, 0, p.m, 1, () => {
        f.do(v128.store(sums, first));
        f.do(v128.store(sums, second, VECTOR));
        f.add(sums, GROUP * 4);
      });
      f.set(scales, i32.add(p.scales, i32.mul(i32.mul(column, blocks), 4)));
      f.set(zeros, i32.add(p.zeros, i32.mul(column, blocks)));
      f.for(block, 0, blocks, together, () => {
        f.set(count, i32.sub(blocks, block));
        f.if(i32.gt_s(count, together), () => f.set(count, together));
        f.do(unpack.call({ to: panel, codes: p.codes, count: i32.mul(count, p.blockSize) }));
        f.add(p.codes, i32.mul(i32.mul(count, p.blockSize), unit));
        const start = i32.mul(i32.mul(block, p.blockSize), codeSize);
        f.set(at, i32.add(level === "relaxed" ? p.a : wide, start));
        f.set(pairAt, i32.add(pairsAt, i32.shl(i32.mul(block, p.m), 3)));
        f.set(sums, c);
        f.set(row, 0);
        for (const { height, plain, withZeros } of tiles)
          f.while(i32.le_s(i32.add(row, height), p.m), () => {
            const call = {
              ...{ a: at, strideA, panel, scales, zeros, pairs: pairAt, pairStep: i32.shl(p.m, 3), c: sums },
              ...{ blocks: count, blockSize: p.blockSize },
            };
            f.if(
              p.zeros,
              () => f.do(withZeros.call(call)),
              () => f.do(plain.call(call)),
            );
            f.add(at, i32.mul(strideA, height));
            f.add(pairAt, 8 * height);
            f.add(sums, GROUP * 4 * height);
            f.add(row, height);
          });
        f.add(scales, i32.shl(count, 5));
        f.add(zeros, i32.shl(count, 3));
      });
      f.set(sums, c);
      f.set(to, i32.add(p.y, i32.shl(column, 2)));
      f.for(row, 0, p.m, 1, () => {
        const part = (half: number) => clampVector(v128.load(sums, half * VECTOR), low, high);
        f.do(store.call({ y: to, columns: left, spare, first: part(0), second: part(1) }));
        f.add(sums, GROUP * 4);
        f.add(to, i32.shl(p.stride, 2));
      });
    });
  });
};

export const packedGemm = (format: CodeFormat, type: ActivationType): readonly WasmVariant[] => {
  const base = { name: "words, 4x8", level: "simd" } as const;
  const words = emit({ format, type, level: "simd" }, [4, 2, 1]);
  if (type === "i16") return [{ ...base, emit: words }];
  const bytes = { format, type, level: "relaxed" } as const;
  return [
    { ...base, spare: true, emit: words },
    { name: "bytes, 4x8", level: "relaxed", emit: emit(bytes, [4, 2, 1]) },
    { name: "bytes, 6x8", level: "relaxed", emit: emit(bytes, [6, 4, 2, 1]) },
  ];
};
