import { type Expr, f32, f64, f64x2, i32, type Module, select, v128 } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import type { Tile } from "../blocks/micro.ts";
import { addPacking } from "../blocks/pack.ts";
import { addProduct } from "../blocks/product.ts";
import { tileName, tiles } from "../blocks/tiles.ts";
import { syrkArgs } from "./op.ts";

const FLOAT = 4;
const ROWS_AT_ONCE = 16;
type Int = Expr<"i32">;
const MIRROR_BLOCK = 16;
const least = (a: Int, b: Int): Int => select(a, b, i32.lt_s(a, b));

/** Adds `addRow`: g = alpha * sums + (accumulate ? g : 0), in float64. */
const addAddRow = (m: Module) =>
  m.func(
    "addRow",
    { sums: "i32", g: "i32", columns: "i32", accumulate: "i32", alpha: "f64" },
    (f, { sums, g, columns, accumulate, alpha }) => {
      const j = f.local("i32");
      const [alphas, pair, one] = [f.let(f64x2.splat(alpha)), f.local("v128"), f.local("f64")];
      f.while(i32.le_s(j, i32.sub(columns, 2)), () => {
        const at = i32.add(g, i32.shl(j, 3));
        const two = f64x2.promote_low_f32x4(v128.load64_zero(i32.add(sums, i32.shl(j, 2))));
        f.set(pair, f64x2.mul(alphas, two));
        f.if(accumulate, () => f.set(pair, f64x2.add(v128.load(at), pair)));
        f.do(v128.store(at, pair));
        f.add(j, 2);
      });
      f.if(i32.lt_s(j, columns), () => {
        const at = i32.add(g, i32.shl(j, 3));
        f.set(one, f64.mul(alpha, f64.promote_f32(f32.load(i32.add(sums, i32.shl(j, 2))))));
        f.if(accumulate, () => f.set(one, f64.add(f64.load(at), one)));
        f.do(f64.store(at, one));
      });
    },
  );

const emit = (tile: Tile) => (module: Module) => {
  const packA = addPacking(module, "packA", tile.rows);
  const packB = addPacking(module, "packB", tile.columns);
  const addRow = addAddRow(module);
  const product = addProduct(module, tile);
  module.func("run", kernelParameters(syrkArgs), (f, v) => {
    const [i, j] = [f.local("i32"), f.local("i32")];
    const strideX = f.let(i32.shl(v.stride, 2));
    const strideG = f.let(i32.shl(v.columns, 3));
    const rowStart = (row: Int) => select(i32.shl(i32.mul(row, i32.add(row, 1)), 2), i32.mul(row, strideG), v.packed);
    const element = (row: Int, column: Int) => i32.add(i32.add(v.g, rowStart(row)), i32.shl(column, 3));
    // What beta leaves of the lower triangle. Where it is 0 the first sums are stored, not added, if there are any.
    const scaled = f.let(i32.and(f64.ne(v.beta, 1), i32.or(f64.ne(v.beta, 0), i32.eqz(v.rows))));
    f.if(scaled, () =>
      f.for(i, v.from, v.to, 1, () =>
        f.for(j, 0, i32.add(i, 1), 1, () => {
          const at = element(i, j);
          f.if(
            f64.eq(v.beta, 0),
            () => f.do(f64.store(at, 0)),
            () => f.do(f64.store(at, f64.mul(v.beta, f64.load(at)))),
          );
        }),
      ),
    );
    const from = (column: Int, k: Int) => i32.add(v.x, i32.add(i32.mul(k, strideX), i32.shl(column, 2)));
    const rows = i32.const(ROWS_AT_ONCE);
    const [at, left] = [f.local("i32"), f.local("i32")];
    product(f, {
      ...{ m: i32.sub(v.to, v.from), n: v.to, k: v.rows, scratch: v.scratch },
      ...{ stride: i32.const(0), accumulate: i32.const(0), low: f32.const(0), high: f32.const(0), address: () => v.g },
      ...{ chunkA: rows, chunkB: rows },
      packA: ({ start, k, ...panel }) =>
        f.do(packA.alongRows.call({ from: from(i32.add(v.from, start), k), ...panel, stride: strideX, factor: 1 })),
      packB: ({ start, k, ...panel }) =>
        f.do(packB.alongRows.call({ from: from(start, k), ...panel, stride: strideX, factor: 1 })),
      // Tiles that lie above the diagonal.
      skip: (row, column) => i32.gt_s(column, i32.add(i32.add(v.from, row), tile.rows - 1)),
      store: ({ at: sums, i: row, j: column, rows: height, columns, isFirst }) => {
        const accumulate = i32.or(f64.ne(v.beta, 0), i32.eqz(isFirst));
        f.set(at, sums);
        f.set(i, i32.add(v.from, row));
        f.set(left, height);
        f.while(i32.gt_s(left, 0), () => {
          // columns up to the diagonal
          const inside = least(columns, i32.add(i32.sub(i, column), 1));
          f.do(addRow.call({ sums: at, g: element(i, column), columns: inside, accumulate, alpha: v.alpha }));
          f.add(at, tile.columns * FLOAT);
          f.add(i, 1);
          f.add(left, -1);
        });
      },
    });
    f.if(v.packed, () => f.set(v.to, 0));

    // The upper triangle, in blocks, so that rows of one and columns of the other stay in the cache.
    const [rowBlock, columnBlock, end] = [f.local("i32"), f.local("i32"), f.local("i32")];
    f.for(columnBlock, v.from, v.to, MIRROR_BLOCK, () => {
      f.set(end, least(i32.add(columnBlock, MIRROR_BLOCK), v.to));
      f.for(rowBlock, 0, end, MIRROR_BLOCK, () =>
        f.for(j, columnBlock, end, 1, () =>
          f.for(i, rowBlock, least(i32.add(rowBlock, MIRROR_BLOCK), j), 1, () =>
            f.do(f64.store(element(i, j), f64.load(element(j, i)))),
          ),
        ),
      );
    });
  });
};

export const syrkWasm: readonly WasmVariant[] = tiles.map((tile) => ({
  name: tileName(tile),
  level: tile.level,
  spare: tile.level === "simd",
  emit: emit(tile),
}));
