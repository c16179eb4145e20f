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
const larger = (a: Int, b: Int): Int => select(a, b, i32.gt_s(a, b));

/** Adds `addTile`: g += alpha * tile, in float64, for the tile's part inside G. */
const addAddTile = (m: Module, { columns: width }: Tile) =>
  m.func(
    "addTile",
    { tile: "i32", g: "i32", stride: "i32", rows: "i32", columns: "i32", alpha: "f64" },
    (f, { tile, g, stride, rows, columns, alpha }) => {
      const [i, j] = [f.local("i32"), f.local("i32")];
      const alphas = f.let(f64x2.splat(alpha));
      f.for(i, 0, rows, 1, () => {
        f.set(j, 0);
        f.while(i32.le_s(j, i32.sub(columns, 2)), () => {
          const at = i32.add(g, i32.shl(j, 3));
          const pair = f64x2.promote_low_f32x4(v128.load64_zero(i32.add(tile, i32.shl(j, 2))));
          f.do(v128.store(at, f64x2.add(v128.load(at), f64x2.mul(alphas, pair))));
          f.add(j, 2);
        });
        f.if(i32.lt_s(j, columns), () => {
          const at = i32.add(g, i32.shl(j, 3));
          const one = f64.promote_f32(f32.load(i32.add(tile, i32.shl(j, 2))));
          f.do(f64.store(at, f64.add(f64.load(at), f64.mul(alpha, one))));
        });
        f.add(tile, width * FLOAT);
        f.set(g, i32.add(g, stride));
      });
    },
  );

const emit = (tile: Tile) => (module: Module) => {
  const packA = addPacking(module, "packA", tile.rows);
  const packB = addPacking(module, "packB", tile.columns);
  const addTile = addAddTile(module, tile);
  const product = addProduct(module, tile);
  module.func("run", kernelParameters(syrkArgs), (f, v) => {
    const [i, j] = [f.local("i32"), f.local("i32")];
    const strideX = f.let(i32.shl(v.stride, 2));
    const strideG = f.let(i32.shl(v.columns, 3));
    const element = (row: Int, column: Int) => i32.add(v.g, i32.add(i32.mul(row, strideG), i32.shl(column, 3)));
    /** Over the part of the upper triangle that is made. */
    const upper = (body: () => void) => f.for(i, 0, v.to, 1, () => f.for(j, larger(i, v.from), v.to, 1, body));

    f.if(f64.ne(v.beta, 1), () =>
      upper(() => {
        const at = element(i, j);
        f.if(
          f64.eq(v.beta, 0),
          () => f.do(f64.store(at, 0)),
          () => f.do(f64.store(at, f64.mul(v.beta, f64.load(at)))),
        );
      }),
    );
    const from = (column: Int, k: Int) => i32.add(v.x, i32.add(i32.mul(k, strideX), i32.shl(column, 2)));
    const rows = i32.const(ROWS_AT_ONCE);
    product(f, {
      ...{ m: v.to, n: i32.sub(v.to, v.from), k: v.rows, scratch: v.scratch },
      ...{ stride: i32.const(0), accumulate: i32.const(0), low: f32.const(0), high: f32.const(0), address: () => v.g },
      ...{ chunkA: rows, chunkB: rows },
      packA: ({ start, k, ...panel }) =>
        f.do(packA.alongRows.call({ from: from(start, k), ...panel, stride: strideX, factor: 1 })),
      packB: ({ start, k, ...panel }) =>
        f.do(packB.alongRows.call({ from: from(i32.add(v.from, start), k), ...panel, stride: strideX, factor: 1 })),
      // Tiles that lie below the diagonal.
      skip: (row, column) => i32.ge_s(row, i32.add(i32.add(v.from, column), tile.columns)),
      store: ({ at, i: row, j: column, ...size }) =>
        f.do(
          addTile.call({
            tile: at,
            g: element(row, i32.add(v.from, column)),
            stride: strideG,
            ...size,
            alpha: v.alpha,
          }),
        ),
    });
    upper(() => f.do(f64.store(element(j, i), f64.load(element(i, j)))));
  });
};

export const syrkWasm: readonly WasmVariant[] = tiles.map((tile) => ({
  name: tileName(tile),
  level: tile.level,
  spare: tile.level === "simd",
  emit: emit(tile),
}));
