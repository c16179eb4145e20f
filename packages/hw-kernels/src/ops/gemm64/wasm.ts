import { type Expr, f64, f64x2, i32, type Module, select, v128 } from "../../asm/index.ts";
import { kernelParameters, type Level, type WasmVariant } from "../../op.ts";
import { addPanelCopy, DOUBLE, type Int, least, most } from "../blocks64/pack.ts";
import { BLOCKS64, gemm64Args, TILE_BYTES64 } from "./op.ts";

const VECTOR = 16;

/** `rows` x `columns` sums that stay in registers. */
interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly level: Level;
  readonly unroll: number;
}

type Vector = Expr<"v128">;
const multiplyAdd: Readonly<Record<Level, (a: Vector, b: Vector, c: Vector) => Vector>> = {
  simd: (a, b, c) => f64x2.add(c, f64x2.mul(a, b)),
  relaxed: (a, b, c) => f64x2.relaxed_madd(a, b, c),
};

/** Adds `micro`: C[i, j] += alpha * (sum over k of a[k, i] * b[k, j]), each sum over k in order. */
const addMicro = (m: Module, { rows, columns, level, unroll }: Tile) =>
  m.func("micro", { a: "i32", b: "i32", c: "i32", stride: "i32", depth: "i32", alpha: "f64" }, (f, v) => {
    const sums = Array.from({ length: rows }, () => f.locals("v128", columns / 2));
    const bs = f.locals("v128", columns / 2);
    const splat = f.local("v128");
    const step = (k: number) => {
      for (const [j, b] of bs.entries()) f.set(b, v128.load(v.b, k * columns * DOUBLE + j * VECTOR));
      for (const [i, row] of sums.entries()) {
        f.set(splat, v128.load64_splat(v.a, (k * rows + i) * DOUBLE));
        for (const [j, sum] of row.entries()) f.set(sum, multiplyAdd[level](splat, bs[j]!, sum));
      }
    };
    const steps = (count: number) => {
      for (let k = 0; k < count; k++) step(k);
      f.add(v.a, count * rows * DOUBLE);
      f.add(v.b, count * columns * DOUBLE);
      f.add(v.depth, -count);
    };
    if (unroll > 1) f.while(i32.ge_s(v.depth, unroll), () => steps(unroll));
    f.while(i32.gt_s(v.depth, 0), () => steps(1));
    const alphas = f.let(f64x2.splat(v.alpha));
    for (const row of sums) {
      for (const [j, sum] of row.entries())
        f.do(v128.store(v.c, f64x2.add(v128.load(v.c, j * VECTOR), f64x2.mul(alphas, sum)), j * VECTOR));
      f.add(v.c, v.stride);
    }
  });

/** Adds `edge`: C[i, j] += tile[i, j] inside C and left of the diagonal. */
const addEdge = (m: Module, { columns: width }: Tile) =>
  m.func(
    "edge",
    { tile: "i32", c: "i32", stride: "i32", rows: "i32", columns: "i32", diagonal: "i32" },
    (f, { tile, c, stride, rows, columns, diagonal }) => {
      const [i, j] = [f.local("i32"), f.local("i32")];
      f.for(i, 0, rows, 1, () => {
        f.for(j, 0, least(columns, i32.add(i, i32.add(diagonal, 1))), 1, () => {
          const at = i32.add(c, i32.shl(j, 3));
          f.do(f64.store(at, f64.add(f64.load(at), f64.load(i32.add(tile, i32.shl(j, 3))))));
        });
        f.add(tile, width * DOUBLE);
        f.add(c, stride);
      });
    },
  );

/** Adds `scale`: row = beta * row, without reading it where beta is 0. */
const addScale = (m: Module) =>
  m.func("scale", { row: "i32", count: "i32", beta: "f64" }, (f, { row, count, beta }) => {
    const end = f.let(i32.add(row, i32.shl(count, 3)));
    f.while(i32.lt_u(row, end), () => {
      f.if(
        f64.eq(beta, 0),
        () => f.do(f64.store(row, 0)),
        () => f.do(f64.store(row, f64.mul(beta, f64.load(row)))),
      );
      f.add(row, DOUBLE);
    });
  });

/** Blocks of k, then columns, then rows, packed into panels for the tiles, as in `blocks/product.ts`. */
const emit = (tile: Tile) => (module: Module) => {
  const packA = addPanelCopy(module, "packA", tile.rows);
  const packB = tile.columns === tile.rows ? packA : addPanelCopy(module, "packB", tile.columns);
  const micro = addMicro(module, tile);
  const edge = addEdge(module, tile);
  const scale = addScale(module);
  module.func("run", kernelParameters(gemm64Args), (f, v) => {
    const int = () => f.local("i32");
    const [k, depth, jc, columns, j, width, ic, rows, i, height] = [
      ...[int(), int(), int(), int(), int()],
      ...[int(), int(), int(), int(), int()],
    ] as const;
    const bytes = (stride: Int) => f.let(i32.shl(stride, 3));
    const [strideA, strideB, strideC] = [bytes(v.strideA), bytes(v.strideB), bytes(v.strideC)];
    const side = (along: Int, flag: Int, base: Int) => {
      const acrossStep = f.let(select(i32.const(DOUBLE), along, flag));
      const alongStep = f.let(select(along, i32.const(DOUBLE), flag));
      return (line: Int, step: Int) => ({
        lines: i32.add(base, i32.add(i32.mul(line, acrossStep), i32.mul(step, alongStep))),
        across: acrossStep,
        along: alongStep,
      });
    };
    const linesA = side(strideA, v.transA, v.a);
    const linesB = side(strideB, i32.eqz(v.transB), v.b);
    f.if(f64.ne(v.beta, 1), () =>
      f.for(i, 0, v.m, 1, () => {
        const count = least(v.n, i32.add(i, i32.add(v.diagonal, 1)));
        f.do(scale.call({ row: i32.add(v.c, i32.mul(i, strideC)), count: most(count, i32.const(0)), beta: v.beta }));
      }),
    );
    const packedA = f.let(i32.add(v.scratch, TILE_BYTES64));
    const packedB = int();
    const panel = (base: Int, index: Int) => i32.add(base, i32.shl(i32.mul(index, depth), 3));

    const oneTile = () => {
      f.set(height, least(i32.const(tile.rows), i32.sub(rows, i)));
      const [row, column] = [i32.add(ic, i), i32.add(jc, j)];
      const diagonal = i32.sub(i32.add(row, v.diagonal), column);
      const c = i32.add(v.c, i32.add(i32.mul(row, strideC), i32.shl(column, 3)));
      const product = { a: panel(packedA, i), b: panel(packedB, j), depth, alpha: v.alpha };
      const inside = i32.and(
        i32.and(i32.eq(height, tile.rows), i32.eq(width, tile.columns)),
        i32.ge_s(diagonal, tile.columns - 1),
      );
      f.if(
        inside,
        () => f.do(micro.call({ ...product, c, stride: strideC })),
        () =>
          f.if(i32.gt_s(i32.add(diagonal, height), 0), () => {
            // -0, which leaves every number that is added to it as it is
            for (let at = 0; at < tile.rows * tile.columns * DOUBLE; at += VECTOR)
              f.do(v128.store(v.scratch, f64x2.splat(-0), at));
            f.do(micro.call({ ...product, c: v.scratch, stride: tile.columns * DOUBLE }));
            f.do(edge.call({ tile: v.scratch, c, stride: strideC, rows: height, columns: width, diagonal }));
          }),
      );
    };

    f.for(k, 0, v.k, BLOCKS64.depth, () => {
      f.set(depth, least(i32.const(BLOCKS64.depth), i32.sub(v.k, k)));
      f.for(jc, 0, v.n, BLOCKS64.columns, () => {
        f.set(columns, least(i32.const(BLOCKS64.columns), i32.sub(v.n, jc)));
        const wholeTiles = i32.mul(i32.div_s(i32.add(v.m, tile.rows - 1), tile.rows), tile.rows);
        f.set(packedB, panel(packedA, least(i32.const(BLOCKS64.rows), wholeTiles)));
        f.for(j, 0, columns, tile.columns, () => {
          f.set(width, least(i32.const(tile.columns), i32.sub(columns, j)));
          f.do(packB.call({ ...linesB(i32.add(jc, j), k), panel: panel(packedB, j), depth, width }));
        });
        // rows above lie right of the diagonal
        f.for(ic, most(i32.const(0), i32.sub(jc, v.diagonal)), v.m, BLOCKS64.rows, () => {
          f.set(rows, least(i32.const(BLOCKS64.rows), i32.sub(v.m, ic)));
          f.for(i, 0, rows, tile.rows, () => {
            f.set(height, least(i32.const(tile.rows), i32.sub(rows, i)));
            f.do(packA.call({ ...linesA(i32.add(ic, i), k), panel: panel(packedA, i), depth, width: height }));
          });
          f.for(j, 0, columns, tile.columns, () => {
            f.set(width, least(i32.const(tile.columns), i32.sub(columns, j)));
            f.for(i, 0, rows, tile.rows, oneTile);
          });
        });
      });
    });
  });
};

const tiles: readonly Tile[] = [
  { rows: 4, columns: 4, level: "simd", unroll: 1 },
  { rows: 6, columns: 4, level: "relaxed", unroll: 2 },
];

export const gemm64Wasm: readonly WasmVariant[] = tiles.map((tile) => ({
  name: `${tile.rows}x${tile.columns}${tile.level === "relaxed" ? " fma" : ""}`,
  level: tile.level,
  spare: tile.level === "simd",
  emit: emit(tile),
}));
