import { type Expr, f32, i32, type Module, select } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { addGather } from "../blocks/gather.ts";
import type { Tile } from "../blocks/micro.ts";
import { addPacking } from "../blocks/pack.ts";
import { addProduct, DEPTH_BLOCK } from "../blocks/product.ts";
import { tileName, tiles } from "../blocks/tiles.ts";
import { addPatches } from "../conv2d/patches.ts";
import { conv2dFilterArgs } from "./op.ts";

type Int = Expr<"i32">;
const ROWS_AT_ONCE = 16;
const least = (a: Int, b: Int): Int => select(a, b, i32.lt_s(a, b));
const larger = (a: Int, b: Int): Int => select(a, b, i32.gt_s(a, b));

const emit = (tile: Tile) => (module: Module) => {
  const packA = addPacking(module, "packA", tile.rows);
  const packB = addPacking(module, "packB", tile.columns);
  const gatherA = addGather(module, "gatherA", tile.rows);
  const gatherB = addGather(module, "gatherB", tile.columns);
  const patches = addPatches(module);
  const product = addProduct(module, tile);
  module.func("run", kernelParameters(conv2dFilterArgs), (f, v) => {
    const p = patches(f, v);
    const [n, group] = [f.local("i32"), f.local("i32")];
    const [start, end, count, base] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
    const perGroup = f.let(i32.div_s(v.filters, v.groups));
    const image = f.let(v.x);
    const imageBytes = f.let(i32.shl(i32.mul(i32.mul(v.channels, v.height), v.width), 2));
    const filterBytes = f.let(i32.shl(v.filters, 2));
    const pixelBytes = f.let(i32.shl(p.pixelCount, 2));
    const termBytes = f.let(i32.shl(p.termCount, 2));
    const accumulate = i32.gt_s(n, 0);
    const free = { low: f32.const(-Infinity), high: f32.const(Infinity) };
    const shared = { k: p.pixelCount, accumulate, ...free, scratch: p.rest };

    /** [filters, pixels] x [pixels, terms], the second gathered. */
    const planes = () =>
      product(f, {
        ...{ ...shared, m: count, n: p.termCount, stride: termBytes },
        address: (i, j) => i32.add(v.dw, i32.add(i32.mul(i32.add(start, i), termBytes), i32.shl(j, 2))),
        ...{ chunkA: i32.const(DEPTH_BLOCK), chunkB: i32.const(DEPTH_BLOCK) },
        packA: ({ start: row, k, ...panel }) => {
          const plane = i32.add(i32.add(i32.mul(n, v.filters), start), row);
          const from = i32.add(v.dy, i32.add(i32.mul(plane, pixelBytes), i32.shl(k, 2)));
          f.do(packA.alongColumns.call({ from, stride: pixelBytes, factor: 1, ...panel }));
        },
        packB: ({ start: term, k, ...panel }) =>
          f.do(gatherB.call({ base, across: p.terms, along: p.pixels, start: term, first: k, ...panel })),
      });
    /** [terms, pixels] x [pixels, filters], the first gathered. */
    const pixels = () =>
      product(f, {
        ...{ ...shared, m: p.termCount, n: count, stride: filterBytes },
        address: (i, j) => i32.add(v.dw, i32.add(i32.mul(i, filterBytes), i32.shl(i32.add(start, j), 2))),
        ...{ chunkA: i32.const(ROWS_AT_ONCE), chunkB: i32.const(ROWS_AT_ONCE) },
        packA: ({ start: term, k, ...panel }) =>
          f.do(gatherA.call({ base, across: p.terms, along: p.pixels, start: term, first: k, ...panel })),
        packB: ({ start: column, k, ...panel }) => {
          const row = i32.add(i32.mul(n, p.pixelCount), k);
          const from = i32.add(v.dy, i32.add(i32.mul(row, filterBytes), i32.shl(i32.add(start, column), 2)));
          f.do(packB.alongRows.call({ from, stride: filterBytes, factor: 1, ...panel }));
        },
      });

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

export const conv2dFilterWasm: readonly WasmVariant[] = tiles.map((tile) => ({
  name: tileName(tile),
  level: tile.level,
  spare: tile.level === "simd",
  emit: emit(tile),
}));
