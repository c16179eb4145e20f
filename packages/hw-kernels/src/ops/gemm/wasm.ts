import { type Expr, f32, f32x4, i32, type Module, select } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import type { Tile } from "../blocks/micro.ts";
import { addPacking } from "../blocks/pack.ts";
import { addProduct, DEPTH_BLOCK } from "../blocks/product.ts";
import { tileName, tiles } from "../blocks/tiles.ts";
import { clampVector } from "../vectors.ts";
import { addDirect } from "./direct.ts";
import { addDots } from "./dots.ts";
import { gemmArgs } from "./op.ts";

/** Adds `prepare`: C = clamp(beta * C + bias, low, high), before a product is added to it. */
const addPrepare = (m: Module) =>
  m.func(
    "prepare",
    { c: "i32", stride: "i32", bias: "i32", rows: "i32", columns: "i32", beta: "f32", low: "f32", high: "f32" },
    (f, { c, stride, bias, rows, columns, beta, low, high }) => {
      const [i, j] = [f.local("i32"), f.local("i32")];
      const value = f.local("f32");
      f.for(i, 0, rows, 1, () => {
        f.for(j, 0, columns, 1, () => {
          const at = i32.shl(j, 2);
          f.set(value, 0);
          f.if(f32.ne(beta, 0), () => f.set(value, f32.mul(beta, f32.load(i32.add(c, at)))));
          f.if(bias, () => f.set(value, f32.add(value, f32.load(i32.add(bias, at)))));
          const clamped = clampVector(f32x4.splat(value), f32x4.splat(low), f32x4.splat(high));
          f.do(f32.store(i32.add(c, at), f32x4.extract_lane(clamped, 0)));
        });
        f.set(c, i32.add(c, stride));
      });
    },
  );

type Int = Expr<"i32">;
const ROWS_AT_ONCE = 16;
const FLOAT = 4;

const emit = (tile: Tile) => (module: Module) => {
  const packA = addPacking(module, "packA", tile.rows);
  const packB = addPacking(module, "packB", tile.columns);
  const prepare = addPrepare(module);
  const product = addProduct(module, tile);
  const direct = addDirect(module, tile);
  const dots = addDots(module, tile.level);
  module.func("run", kernelParameters(gemmArgs), (f, v) => {
    const strideA = f.let(i32.shl(v.strideA, 2));
    const strideB = f.let(i32.shl(v.strideB, 2));
    const strideC = f.let(i32.shl(v.strideC, 2));
    const prepared = f.let(i32.or(i32.or(f32.ne(v.beta, 0), i32.ne(v.bias, 0)), i32.eqz(v.k)));
    const element = (base: Int, stride: Int, row: Int, column: Int) =>
      i32.add(base, i32.add(i32.mul(row, stride), i32.shl(column, 2)));
    f.while(i32.gt_s(v.batch, 0), () => {
      f.if(prepared, () => {
        const low = select(f32.const(-Infinity), v.low, v.k);
        const high = select(f32.const(Infinity), v.high, v.k);
        f.do(prepare.call({ ...v, stride: strideC, rows: v.m, columns: v.n, low, high }));
      });
      const packed = () =>
        product(f, {
          ...v,
          stride: strideC,
          accumulate: prepared,
          address: (i, j) => element(v.c, strideC, i, j),
          // Along rows a few steps of k at a time, so that each row is read from left to right.
          chunkA: select(i32.const(ROWS_AT_ONCE), i32.const(DEPTH_BLOCK), v.transA),
          chunkB: select(i32.const(DEPTH_BLOCK), i32.const(ROWS_AT_ONCE), v.transB),
          packA: ({ start, k, ...panel }) => {
            const rest = { ...panel, stride: strideA, factor: v.alpha };
            f.if(
              v.transA,
              () => f.do(packA.alongRows.call({ from: element(v.a, strideA, k, start), ...rest })),
              () => f.do(packA.alongColumns.call({ from: element(v.a, strideA, start, k), ...rest })),
            );
          },
          packB: ({ start, k, ...panel }) => {
            const rest = { ...panel, stride: strideB, factor: 1 };
            f.if(
              v.transB,
              () => f.do(packB.alongColumns.call({ from: element(v.b, strideB, start, k), ...rest })),
              () => f.do(packB.alongRows.call({ from: element(v.b, strideB, k, start), ...rest })),
            );
          },
        });
      const strides = { strideA, strideB, strideC };
      const one = i32.const(FLOAT);
      const acrossA = select(one, strideA, v.transA);
      const alongA = select(strideA, one, v.transA);
      f.if(
        v.direct,
        () =>
          f.if(
            v.transB,
            () => f.if(v.transA, packed, () => dots(f, { ...v, ...strides, accumulate: prepared })),
            () => direct(f, { ...v, ...strides, acrossA, alongA, accumulate: prepared }),
          ),
        packed,
      );
      f.add(v.a, i32.shl(v.stepA, 2));
      f.add(v.b, i32.shl(v.stepB, 2));
      f.add(v.c, i32.shl(v.stepC, 2));
      f.add(v.batch, -1);
    });
  });
};

export const gemmWasm: readonly WasmVariant[] = tiles.map((tile) => ({
  name: tileName(tile),
  level: tile.level,
  spare: tile.level === "simd",
  emit: emit(tile),
}));
