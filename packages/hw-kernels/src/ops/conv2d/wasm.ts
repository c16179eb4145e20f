import { type Expr, f32, i32, type Module, select } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { addGather, neighbours } from "../blocks/gather.ts";
import type { Tile } from "../blocks/micro.ts";
import { addPacking } from "../blocks/pack.ts";
import { addProduct, DEPTH_BLOCK } from "../blocks/product.ts";
import { tileName, tiles } from "../blocks/tiles.ts";
import { conv2dArgs } from "./op.ts";
import { addPatches } from "./patches.ts";

type Int = Expr<"i32">;
const ROWS_AT_ONCE = 16;
const least = (a: Int, b: Int): Int => select(a, b, i32.lt_s(a, b));
const larger = (a: Int, b: Int): Int => select(a, b, i32.gt_s(a, b));

/** Adds `fill`: c[i, j] = bias[i * alongRows + j * alongColumns]. */
const addFill = (m: Module) =>
  m.func(
    "fill",
    { c: "i32", stride: "i32", bias: "i32", rows: "i32", columns: "i32", byRow: "i32" },
    (f, { c, stride, bias, rows, columns, byRow }) => {
      const [i, j] = [f.local("i32"), f.local("i32")];
      f.for(i, 0, rows, 1, () => {
        f.for(j, 0, columns, 1, () => {
          const value = f32.load(i32.add(bias, i32.shl(select(i, j, byRow), 2)));
          f.do(f32.store(i32.add(c, i32.shl(j, 2)), value));
        });
        f.set(c, i32.add(c, stride));
      });
    },
  );

const emit = (tile: Tile) => (module: Module) => {
  const packA = addPacking(module, "packA", tile.rows);
  const packB = addPacking(module, "packB", tile.columns);
  const gatherA = addGather(module, "gatherA", tile.rows);
  const gatherB = addGather(module, "gatherB", tile.columns);
  const fill = addFill(module);
  const patches = addPatches(module);
  const product = addProduct(module, tile, true);
  module.func("run", kernelParameters(conv2dArgs), (f, v) => {
    const p = patches(f, v);
    const [n, group] = [f.local("i32"), f.local("i32")];
    const [start, end, count, base] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
    const perGroup = f.let(i32.div_s(v.filters, v.groups));
    const image = f.let(v.x);
    const imageBytes = f.let(i32.shl(i32.mul(i32.mul(v.channels, v.height), v.width), 2));
    const filterBytes = f.let(i32.shl(v.filters, 2));
    const pixelBytes = f.let(i32.shl(p.pixelCount, 2));
    const termBytes = f.let(i32.shl(p.termCount, 2));
    const shared = { k: p.termCount, accumulate: i32.ne(v.bias, 0), low: v.low, high: v.high, scratch: p.rest };
    const biasFrom = i32.add(v.bias, i32.shl(start, 2));

    /** One group of one image: [filters, terms] x [terms, pixels], the second gathered. */
    const planes = () => {
      const c = i32.add(v.y, i32.mul(i32.add(i32.mul(n, v.filters), start), pixelBytes));
      f.if(v.bias, () =>
        f.do(fill.call({ c, stride: pixelBytes, bias: biasFrom, rows: count, columns: p.pixelCount, byRow: 1 })),
      );
      product(f, {
        ...{ ...shared, m: count, n: p.pixelCount, stride: pixelBytes },
        address: (i, j) => i32.add(c, i32.add(i32.mul(i, pixelBytes), i32.shl(j, 2))),
        ...{ chunkA: i32.const(DEPTH_BLOCK), chunkB: i32.const(DEPTH_BLOCK) },
        packA: ({ start: row, k, ...panel }) => {
          const from = i32.add(v.w, i32.add(i32.mul(i32.add(start, row), termBytes), i32.shl(k, 2)));
          f.do(packA.alongColumns.call({ from, stride: termBytes, factor: 1, ...panel }));
        },
        apart: {
          fits: (pixel) => neighbours(p.pixels, pixel, tile.columns),
          first: (pixel) => i32.add(base, i32.load(i32.add(p.pixels, i32.shl(pixel, 2)))),
          along: p.terms,
        },
        packB: ({ start: pixel, k, ...panel }) =>
          f.do(gatherB.call({ base, across: p.pixels, along: p.terms, start: pixel, first: k, ...panel })),
      });
    };
    /** The same as [pixels, terms] x [terms, filters], the first gathered. */
    const pixels = () => {
      const c = i32.add(v.y, i32.add(i32.mul(i32.mul(n, p.pixelCount), filterBytes), i32.shl(start, 2)));
      f.if(v.bias, () =>
        f.do(fill.call({ c, stride: filterBytes, bias: biasFrom, rows: p.pixelCount, columns: count, byRow: 0 })),
      );
      product(f, {
        ...{ ...shared, m: p.pixelCount, n: count, stride: filterBytes },
        address: (i, j) => i32.add(c, i32.add(i32.mul(i, filterBytes), i32.shl(j, 2))),
        ...{ chunkA: i32.const(DEPTH_BLOCK), chunkB: i32.const(ROWS_AT_ONCE) },
        packA: ({ start: pixel, k, ...panel }) =>
          f.do(gatherA.call({ base, across: p.pixels, along: p.terms, start: pixel, first: k, ...panel })),
        packB: ({ start: column, k, ...panel }) => {
          const from = i32.add(v.w, i32.add(i32.mul(k, filterBytes), i32.shl(i32.add(start, column), 2)));
          f.do(packB.alongRows.call({ from, stride: filterBytes, factor: 1, ...panel }));
        },
      });
    };

    f.for(n, 0, v.batch, 1, () => {
      p.of(image);
      f.for(group, 0, v.groups, 1, () => {
        f.set(start, larger(v.from, i32.mul(group, perGroup)));
        f.set(end, least(v.to, i32.mul(i32.add(group, 1), perGroup)));
        f.set(count, i32.sub(end, start));
        f.set(base, p.base(group));
        f.if(i32.gt_s(count, 0), () => f.if(v.nhwc, pixels, planes));
      });
      f.add(image, imageBytes);
    });
  });
};

export const conv2dWasm: readonly WasmVariant[] = tiles.map((tile) => ({
  name: tileName(tile),
  level: tile.level,
  spare: tile.level === "simd",
  emit: emit(tile),
}));
