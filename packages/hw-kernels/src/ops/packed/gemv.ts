import {
  type Body,
  type Expr,
  f32x4,
  i8x16,
  i32,
  i32x4,
  type Local,
  type Module,
  select,
  v128,
} from "../../asm/index.ts";
import { kernelParameters, type Level, type WasmVariant } from "../../op.ts";
import { clampVector } from "../vectors.ts";
import { type CodeFormat, GROUP, unitBytes } from "./formats.ts";
import { type ActivationType, blockStep, packedArgs } from "./op.ts";
import {
  addBlockPairs,
  addStore,
  addWiden,
  behind,
  bitsOf,
  copyFloats,
  fourZeros,
  MAGIC,
  type PackedLocals,
  SIXTEENTHS,
} from "./prepare.ts";

type Vector = Local<"v128">;
const VECTOR = 16;
const WIDE = 32;
/** Scaled planes are all brought to 2^8 times the product, and their sums over this many k stay below 2^31. */
const [SCALE_BITS, MOST_SCALED] = [8, 1024];
/** So many k of codes that are 16 times as large stay below 2^22: see `SIXTEENTHS`. */
const MOST_SIXTEENFOLD = 256;
const NIBBLE = 4;

/** How a kernel multiplies: one relaxed dot for 16 products, or SIMD128's for 8, with planes scaled or not. */
interface Method {
  readonly format: CodeFormat;
  readonly type: ActivationType;
  readonly level: Level;
  readonly scaled: boolean;
  /** The upper of two codes stays where it is, 16 times as large: right where a dot's second operand is unsigned. */
  readonly sixteenfold: boolean;
}

/** sums += dot products over one unit; the codes of each four rows at `codes[g]` + 0 and + half. */
const addUnit = (
  f: Body,
  { format, level, scaled, sixteenfold }: Method,
  { codes: places, a, sums, vectors }: { codes: Local<"i32">[]; a: Local<"i32">; sums: Vector[]; vectors: Vector[][] },
  unit: number,
  splat: Vector,
) => {
  const bytes = unitBytes(format);
  for (const [i, vs] of vectors.entries())
    for (const [j, v] of vs.entries())
      f.set(v, v128.load(places[i >> 1]!, unit * bytes + ((i & 1) * format.vectors + j) * VECTOR));
  if (level === "relaxed")
    for (let t = 0; t < format.span / 4; t++) {
      f.set(splat, v128.load32_splat(a, unit * format.span + 4 * t));
      for (const [i, vs] of vectors.entries()) {
        const upper = sixteenfold && t === 1;
        const sum = sums[upper ? i + vectors.length : i]!;
        const codes = upper ? v128.and(vs[0]!, f.constant(i8x16.const(-16))) : format.quad(f, vs, t);
        f.set(sum, i32x4.relaxed_dot_i8x16_i7x16_add_s(splat, codes, sum));
      }
    }
  else
    for (const { pair, value } of format.planes(scaled)) {
      f.set(splat, v128.load32_splat(a, 2 * unit * format.span + 4 * pair));
      for (const [i, sum] of sums.entries())
        f.set(sum, i32x4.add(sum, i32x4.dot_i16x8_s(value(f, vectors[i]!), splat)));
    }
};

/**
 * Adds `rows`: 8 `groups` sums of one row of activations; `pairs` as `addBlockPairs` made them for one row. The sums go
 * to `sums`.
 */
const addRows = (m: Module, method: Method, groups: number) => {
  const { format, level, scaled, sixteenfold } = method;
  const halves = 2 * groups;
  return m.func(
    `rows${GROUP * groups}`,
    {
      ...{ codes: "i32", groupBytes: "i32", scales: "i32", zeros: "i32", a: "i32", pairs: "i32" },
      ...{ blocks: "i32", blockSize: "i32", sums: "i32" },
    },
    (f, v) => {
      const totals = f.locals("v128", halves);
      const dots = f.locals("v128", sixteenfold ? 2 * halves : halves);
      const vectors = totals.map(() => f.locals("v128", format.vectors));
      const splat = f.local("v128");
      const starts = scaled ? f.locals("v128", halves) : dots.slice(0, halves);
      const [left, part, odd] = [f.local("i32"), f.local("i32"), f.local("i32")];
      const codes = [v.codes, f.let(i32.add(v.codes, v.groupBytes))].slice(0, groups);
      const scaleBytes = f.let(i32.mul(v.blocks, GROUP * 4));
      const zeroBytes = f.let(i32.mul(v.blocks, GROUP));
      const places = { codes, a: v.a, sums: dots, vectors };
      const step = (k: number) => {
        for (let unit = 0; unit < k / format.span; unit++) addUnit(f, method, places, unit, splat);
        for (const p of codes) f.add(p, (k / format.span) * unitBytes(format));
        f.add(v.a, level === "relaxed" ? k : 2 * k);
      };
      f.set(odd, i32.and(v.blockSize, WIDE - 1));
      const units = (count: Local<"i32">) =>
        blockStep(format) === WIDE
          ? f.repeat(count, WIDE, () => step(WIDE))
          : f.if(
              odd,
              () => f.repeat(count, blockStep(format), () => step(blockStep(format))),
              () => f.repeat(count, WIDE, () => step(WIDE)),
            );
      const at = (base: Local<"i32">, g: number, bytes: Local<"i32">) => (g ? i32.add(base, bytes) : base);
      const magic = f32x4.const(MAGIC);
      const sixteenths = f32x4.const(SIXTEENTHS);
      const started = (sum: Expr<"v128">) => (level === "relaxed" ? i32x4.add(sum, f.constant(magic)) : sum);
      const whole = (i: number) => {
        if (level !== "relaxed") return f32x4.convert_i32x4_s(starts[i]!);
        return f32x4.sub(starts[i]!, sixteenfold ? dots[halves + i]! : f.constant(magic));
      };
      for (const [i, total] of totals.entries()) f.set(total, v128.load(v.sums, i * VECTOR));
      f.repeat(v.blocks, 1, () => {
        for (const start of starts) f.set(start, v128.load32_splat(v.pairs, 4));
        f.if(v.zeros, () => {
          for (const [i, start] of starts.entries())
            f.set(start, started(i32x4.mul(start, fourZeros(at(v.zeros, i >> 1, zeroBytes), 4 * (i & 1)))));
          f.add(v.zeros, GROUP);
        });
        f.set(left, v.blockSize);
        const parts = (most: number, body: () => void) =>
          f.while(i32.gt_s(left, 0), () => {
            f.set(part, select(i32.const(most), left, i32.gt_s(left, most)));
            f.set(left, i32.sub(left, part));
            body();
          });
        if (scaled)
          parts(MOST_SCALED, () => {
            for (const dot of dots) f.set(dot, i32x4.const(0));
            units(part);
            for (const [i, start] of starts.entries())
              f.set(start, i32x4.add(start, i32x4.shr_s(dots[i]!, SCALE_BITS)));
          });
        else if (sixteenfold) {
          const upper = dots.slice(halves);
          for (const dot of upper) f.set(dot, sixteenths);
          parts(MOST_SIXTEENFOLD, () => {
            units(part);
            f.if(left, () => {
              for (const [i, dot] of upper.entries()) {
                f.set(starts[i]!, i32x4.add(starts[i]!, i32x4.shr_s(i32x4.sub(dot, sixteenths), NIBBLE)));
                f.set(dot, sixteenths);
              }
            });
          });
          // (magic + lower) - (magic - upper)
          for (const dot of upper) f.set(dot, f32x4.sub(f.constant(f32x4.const(MAGIC + SIXTEENTHS)), dot));
        } else units(left);
        f.set(splat, v128.load32_splat(v.pairs));
        for (const [i, total] of totals.entries()) {
          const scale = f32x4.mul(v128.load(at(v.scales, i >> 1, scaleBytes), (i & 1) * VECTOR), splat);
          f.set(total, f32x4.add(total, f32x4.mul(whole(i), scale)));
        }
        f.add(v.scales, GROUP * 4);
        f.add(v.pairs, 2 * 4);
      });
      for (const [i, total] of totals.entries()) f.do(v128.store(v.sums, total, i * VECTOR));
    },
  );
};

const emit = (method: Method, groups: number) => (m: Module) => {
  const { format, type, level, scaled } = method;
  const pairs = addBlockPairs(m, level === "relaxed" ? bitsOf(MAGIC) : 0);
  const factors = Array<number>(format.span / 2).fill(1);
  if (scaled) for (const { pair, scale } of format.planes(true)) factors[pair] = 2 ** SCALE_BITS / scale;
  const widen = addWiden(m, type, format.span, factors);
  const store = addStore(m);
  const heights = [...new Set([groups, 1])].map((height) => ({ height, rows: addRows(m, method, height) }));
  m.func("run", kernelParameters(packedArgs[type]), (f, p: PackedLocals) => {
    const blocks = f.let(i32.div_u(p.k, p.blockSize));
    const groupBytes = f.let(i32.mul(i32.div_u(p.k, format.span), unitBytes(format)));
    const sums = f.let(behind(p.scratch, i32.const(0)));
    const pairsAt = f.let(i32.add(sums, 2 * GROUP * 4));
    const wide = f.let(behind(pairsAt, i32.shl(blocks, 3)));
    const [group, column, left] = [f.local("i32"), f.local("i32"), f.local("i32")];
    const [to, from, count] = [f.local("i32"), f.local("i32"), f.local("i32")];
    const [low, high] = [f.let(f32x4.splat(p.low)), f.let(f32x4.splat(p.high))];
    const a = level === "relaxed" ? p.a : wide;
    f.while(i32.gt_s(p.m, 0), () => {
      f.do(pairs.call({ to: pairsAt, scales: p.aScales, sums: p.aSums, zeros: p.zeros, zero: p.zero, m: 1, blocks }));
      if (level !== "relaxed") f.do(widen.call({ to: wide, from: p.a, count: p.k }));
      f.set(column, 0);
      for (const { height, rows } of heights)
        f.while(
          height === 1 ? i32.lt_s(column, p.n) : i32.le_s(i32.add(column, GROUP * (height - 1)), i32.sub(p.n, 1)),
          () => {
            f.set(group, i32.shr_u(column, 3));
            f.set(left, i32.sub(p.n, column));
            for (let i = 0; i < 2 * height; i++) f.do(v128.store(sums, i32x4.const(0), i * VECTOR));
            f.if(p.bias, () => {
              f.set(to, sums);
              f.set(from, i32.add(p.bias, i32.shl(column, 2)));
              f.set(count, select(i32.const(GROUP * height), left, i32.gt_s(left, GROUP * height)));
              copyFloats(f, to, from, count);
            });
            const scales = i32.mul(i32.mul(group, blocks), GROUP * 4);
            const zeros = i32.add(p.zeros, i32.mul(i32.mul(group, blocks), GROUP));
            f.do(
              rows.call({
                ...{ codes: i32.add(p.codes, i32.mul(group, groupBytes)), groupBytes, a, pairs: pairsAt, blocks, sums },
                ...{ scales: i32.add(p.scales, scales), zeros: select(zeros, i32.const(0), p.zeros) },
                blockSize: p.blockSize,
              }),
            );
            for (let i = 0; i < height; i++) {
              const part = (half: number) => clampVector(v128.load(sums, (2 * i + half) * VECTOR), low, high);
              f.do(
                store.call({
                  y: i32.add(i32.add(p.y, i32.shl(column, 2)), i * GROUP * 4),
                  columns: i32.sub(left, i * GROUP),
                  spare: sums,
                  first: part(0),
                  second: part(1),
                }),
              );
            }
            f.add(column, GROUP * height);
          },
        );
      f.add(p.a, type === "i8" ? p.k : i32.shl(p.k, 1));
      f.add(p.aScales, i32.shl(blocks, 2));
      f.add(p.aSums, i32.shl(blocks, 2));
      f.add(p.y, i32.shl(p.stride, 2));
      f.add(p.m, -1);
    });
  });
};

export const packedGemv = (format: CodeFormat, type: ActivationType): readonly WasmVariant[] => {
  const words = {
    format,
    type,
    level: "simd",
    scaled: type === "i8" && format.bits !== 3,
    sixteenfold: false,
  } as const;
  const base: WasmVariant = { name: "words, 8 rows", level: "simd", spare: true, emit: emit(words, 1) };
  if (type === "i16") return [{ ...base, spare: false }];
  const bytes = { ...words, level: "relaxed", scaled: false } as const;
  const unsigned = (rows: string, groups: number): WasmVariant => ({
    ...{ name: `unsigned bytes, ${rows}`, level: "relaxed", dot: "unsigned" },
    emit: emit({ ...bytes, sixteenfold: true }, groups),
  });
  return [
    base,
    { name: "bytes, 8 rows", level: "relaxed", emit: emit(bytes, 1) },
    ...(format.bits === 3 ? [] : [{ name: "bytes, 16 rows", level: "relaxed", emit: emit(bytes, 2) } as const]),
    ...(format.bits === 4 ? [unsigned("8 rows", 1), unsigned("16 rows", 2)] : []),
  ];
};
