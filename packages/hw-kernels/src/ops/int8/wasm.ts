import { type Expr, i8x16, i16x8, i32, i32x4, type Module, v128 } from "../../asm/index.ts";
import { type KernelLocals, kernelParameters, type WasmVariant } from "../../op.ts";
import { addStore, addWiden, behind, loadGroup } from "../packed/prepare.ts";
import { DEPTH, GROUP, INT8_STEP, int8Args, QUAD } from "./op.ts";

const VECTOR = 16;
const SIGN = 128;

/** SIMD128's dot of words; a relaxed dot of signed bytes; or one whose second operand is unsigned: a + 128. */
type Method = "words" | "signed" | "unsigned";

/** Adds `unpack`: weights of one group as words, pairs of k (0, 2 and 1, 3 of each four) of 8 rows together. */
const addUnpack = (m: Module) =>
  m.func("unpack", { to: "i32", w: "i32", count: "i32" }, (f, { to, w, count }) => {
    const halves = f.locals("v128", 2);
    f.repeat(count, QUAD, () => {
      for (const [h, half] of halves.entries()) {
        f.set(half, v128.load(w, h * VECTOR));
        f.do(v128.store(to, i16x8.shr_s(i16x8.shl(half, 8), 8), h * VECTOR));
        f.do(v128.store(to, i16x8.shr_s(half, 8), (2 + h) * VECTOR));
      }
      f.add(w, 2 * VECTOR);
      f.add(to, 4 * VECTOR);
    });
  });

/** Adds `flip`: bytes plus 128, unsigned. */
const addFlip = (m: Module) =>
  m.func("flip", { to: "i32", from: "i32", count: "i32" }, (f, { to, from, count }) => {
    f.repeat(count, VECTOR, () => {
      f.do(v128.store(to, v128.xor(v128.load(from), f.constant(i8x16.const(-SIGN)))));
      f.add(from, VECTOR);
      f.add(to, VECTOR);
    });
  });

/** Where few rows are at work, dots go to sums by turns, so that none waits for the one before it. */
const chainsOf = (rows: number) => Math.max(1, Math.floor(QUAD / rows));

/** Adds a tile: the products of `rows` rows of A and 8 of weights over `count` k, added to sums at `c`, 8 a row. */
const addTile = (m: Module, method: Method, rows: number) =>
  m.func(`tile${rows}`, { a: "i32", strideA: "i32", panel: "i32", c: "i32", count: "i32" }, (f, v) => {
    const chains = chainsOf(rows);
    const dots = Array.from({ length: rows }, () => f.locals("v128", 2 * chains));
    const halves = f.locals("v128", 2);
    const splat = f.local("v128");
    const a = f.locals("i32", rows);
    for (const [i, p] of a.entries()) f.set(p, i ? i32.add(a[i - 1]!, v.strideA) : v.a);
    for (const [i, row] of dots.entries()) for (const h of [0, 1]) f.set(row[h]!, v128.load(v.c, (2 * i + h) * VECTOR));
    const [perStep, size] = method === "words" ? [2, 2] : [QUAD, 1];
    f.repeat(v.count, INT8_STEP, () => {
      for (let step = 0; step < INT8_STEP / perStep; step++) {
        for (const [h, half] of halves.entries()) f.set(half, v128.load(v.panel, (2 * step + h) * VECTOR));
        for (const [i, row] of dots.entries()) {
          f.set(splat, v128.load32_splat(a[i]!, 4 * step));
          for (const [h, half] of halves.entries()) {
            const dot = row[2 * (step % chains) + h]!;
            const sum =
              method === "words"
                ? i32x4.add(dot, i32x4.dot_i16x8_s(half, splat))
                : i32x4.relaxed_dot_i8x16_i7x16_add_s(half, splat, dot);
            f.set(dot, sum);
          }
        }
      }
      for (const p of a) f.add(p, INT8_STEP * size);
      f.add(v.panel, INT8_STEP * GROUP * size);
    });
    for (const [i, row] of dots.entries())
      for (const h of [0, 1]) {
        const [start, ...others] = row.filter((_, at) => at % 2 === h);
        const sum = others.reduce<Expr<"v128">>((x, y) => i32x4.add(x, y), start!);
        f.do(v128.store(v.c, sum, (2 * i + h) * VECTOR));
      }
  });

const emit = (method: Method, heights: readonly number[]) => (m: Module) => {
  const unpack = method === "words" ? addUnpack(m) : undefined;
  const widen = method === "words" ? addWiden(m, "i8", QUAD, [1, 1]) : undefined;
  const flip = method === "unsigned" ? addFlip(m) : undefined;
  const store = addStore(m);
  const tiles = heights.map((height) => ({ height, tile: addTile(m, method, height) }));
  m.func("run", kernelParameters(int8Args), (f, p: KernelLocals<typeof int8Args>) => {
    const size = method === "words" ? 2 : 1;
    const spare = f.let(behind(p.scratch, i32.const(0)));
    const panel = f.let(behind(spare, i32.const(GROUP * 4)));
    const c = f.let(behind(panel, i32.const(DEPTH * GROUP * 2)));
    const copy = f.let(behind(c, i32.mul(p.m, GROUP * 4)));
    const a = method === "signed" ? p.a : copy;
    const strideA = f.let(i32.mul(p.k, size));
    const [column, row, start, count, left] = [
      f.local("i32"),
      f.local("i32"),
      f.local("i32"),
      f.local("i32"),
      f.local("i32"),
    ];
    const [at, sums] = [f.local("i32"), f.local("i32")];
    const to = f.local("i32");
    const [first, second] = [f.local("v128"), f.local("v128")];
    const factor = f.let(i32x4.splat(i32.sub(method === "unsigned" ? -SIGN : 0, p.zero)));
    f.if(i32.mul(p.m, p.k), () => {
      if (widen) f.do(widen.call({ to: copy, from: p.a, count: i32.mul(p.m, p.k) }));
      if (flip) f.do(flip.call({ to: copy, from: p.a, count: i32.mul(p.m, p.k) }));
    });
    f.for(column, 0, p.n, GROUP, () => {
      f.set(left, i32.sub(p.n, column));
      // sums start at bias - zero * sum of the weights
      loadGroup(f, [first, second], { base: p.bias, source: i32.add(p.bias, i32.shl(column, 2)), left, spare });
      const sumsAt = i32.add(p.sums, i32.shl(column, 2));
      f.set(first, i32x4.add(first, i32x4.mul(factor, v128.load(sumsAt))));
      f.set(second, i32x4.add(second, i32x4.mul(factor, v128.load(sumsAt, VECTOR))));
      f.set(sums, c);
      f.for(row, 0, p.m, 1, () => {
        f.do(v128.store(sums, first));
        f.do(v128.store(sums, second, VECTOR));
        f.add(sums, GROUP * 4);
      });
      f.for(start, 0, p.k, DEPTH, () => {
        f.set(count, i32.sub(p.k, start));
        f.if(i32.gt_s(count, DEPTH), () => f.set(count, DEPTH));
        if (unpack) f.do(unpack.call({ to: panel, w: p.w, count }));
        f.set(at, i32.add(a, i32.mul(start, size)));
        f.set(sums, c);
        f.set(row, 0);
        for (const { height, tile } of tiles)
          f.while(i32.le_s(i32.add(row, height), p.m), () => {
            f.do(tile.call({ a: at, strideA, panel: unpack ? panel : p.w, c: sums, count }));
            f.add(at, i32.mul(strideA, height));
            f.add(sums, GROUP * 4 * height);
            f.add(row, height);
          });
        f.add(p.w, i32.shl(count, 3));
      });
      f.set(sums, c);
      f.set(to, i32.add(p.y, i32.shl(column, 2)));
      f.for(row, 0, p.m, 1, () => {
        f.do(store.call({ y: to, columns: left, spare, first: v128.load(sums), second: v128.load(sums, VECTOR) }));
        f.add(sums, GROUP * 4);
        f.add(to, i32.shl(p.stride, 2));
      });
    });
  });
};

const relaxed = (method: "signed" | "unsigned"): readonly WasmVariant[] =>
  [
    [4, 2, 1],
    [6, 4, 2, 1],
  ].map((heights) => ({
    name: `${method} bytes, ${heights[0]}x8`,
    level: "relaxed",
    dot: method,
    emit: emit(method, heights),
  }));

export const int8Wasm: readonly WasmVariant[] = [
  { name: "words, 4x8", level: "simd", spare: true, emit: emit("words", [4, 2, 1]) },
  ...relaxed("signed"),
  ...relaxed("unsigned"),
];
