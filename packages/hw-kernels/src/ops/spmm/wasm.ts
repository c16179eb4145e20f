import { type Body, type Expr, f32, f32x4, i32, type Module, select, v128 } from "../../asm/index.ts";
import { kernelParameters, type Level, type WasmVariant } from "../../op.ts";
import { packing } from "../blocks/pack.ts";
import { clampVector, multiplyAdd } from "../vectors.ts";
import { spmmArgs, TILE } from "./op.ts";

const FLOAT = 4;
const VECTOR = 16;
const HEIGHTS = [1, 2, 4] as const;
/** Sums of a vector, as many nonzeros at a time. */
const SUMS = 4;
type Int = Expr<"i32">;

/** Adds `pack`: panel[k, j] = x[k, j] for j < width, 0 up to `fullWidth`. */
const addPack = (m: Module, fullWidth: number) =>
  m.func(
    `pack${fullWidth}`,
    { x: "i32", stride: "i32", panel: "i32", depth: "i32", width: "i32" },
    (f, { x, stride, panel, depth, width }) => {
      const [k, j] = [f.local("i32"), f.local("i32")];
      f.for(k, 0, depth, 1, () => {
        f.if(
          i32.eq(width, fullWidth),
          () => {
            for (let at = 0; at < fullWidth * FLOAT; at += VECTOR) f.do(v128.store(panel, v128.load(x, at), at));
          },
          () => {
            for (let at = 0; at < fullWidth * FLOAT; at += VECTOR) f.do(v128.store(panel, f32x4.splat(0), at));
            f.for(j, 0, width, 1, () => {
              const at = i32.shl(j, 2);
              f.do(f32.store(i32.add(panel, at), f32.load(i32.add(x, at))));
            });
          },
        );
        f.add(x, stride);
        f.add(panel, fullWidth * FLOAT);
      });
    },
  );

/** Adds a row of blocks times a panel: out[r, j] = clamp(bias[r] + sum of values[k, r] * panel[indices[k], j], low, high). */
const addProduct = (m: Module, level: Level, height: number, width: number) =>
  m.func(
    `rows${height}x${width}`,
    {
      ...{ values: "i32", indices: "i32", count: "i32", panel: "i32", bias: "i32" },
      ...{ out: "i32", stride: "i32", low: "f32", high: "f32" },
    } as const,
    (f, v) => {
      const sums = Array.from({ length: height }, () => f.locals("v128", width / 4));
      const [weights, x] = [f.locals("v128", height), f.local("v128")];
      const from = f.local("i32");
      f.if(v.bias, () => {
        for (const [r, row] of sums.entries()) for (const sum of row) f.set(sum, v128.load32_splat(v.bias, r * FLOAT));
      });
      f.while(i32.gt_s(v.count, 0), () => {
        f.set(from, i32.add(v.panel, i32.mul(i32.load(v.indices), width * FLOAT)));
        for (const [r, weight] of weights.entries()) f.set(weight, v128.load32_splat(v.values, r * FLOAT));
        for (let j = 0; j < width / 4; j++) {
          f.set(x, v128.load(from, j * VECTOR));
          for (const [r, row] of sums.entries()) f.set(row[j]!, multiplyAdd[level](weights[r]!, x, row[j]!));
        }
        f.add(v.values, height * FLOAT);
        f.add(v.indices, FLOAT);
        f.add(v.count, -1);
      });
      const [lows, highs] = [f.let(f32x4.splat(v.low)), f.let(f32x4.splat(v.high))];
      for (const row of sums) {
        for (const [j, sum] of row.entries()) f.do(v128.store(v.out, clampVector(sum, lows, highs), j * VECTOR));
        f.add(v.out, v.stride);
      }
    },
  );

/** Emits a row of blocks times one column: the values of a block side by side in a vector. */
const addColumn = (m: Module, level: Level, height: number) =>
  m.func(
    `column${height}`,
    {
      ...{ values: "i32", indices: "i32", count: "i32", x: "i32", strideX: "i32", bias: "i32" },
      ...{ out: "i32", stride: "i32", low: "f32", high: "f32" },
    } as const,
    (f, v) => {
      const sums = f.locals("v128", SUMS);
      const step = (nonzeros: number) => {
        for (let k = 0; k < nonzeros; k++) {
          const x = v128.load32_splat(i32.add(v.x, i32.mul(i32.load(v.indices, k * FLOAT), v.strideX)));
          const weights = packing.loadLanes(v.values, height, k * height * FLOAT);
          f.set(sums[k]!, multiplyAdd[level](weights, x, sums[k]!));
        }
        f.add(v.values, nonzeros * height * FLOAT);
        f.add(v.indices, nonzeros * FLOAT);
        f.add(v.count, -nonzeros);
      };
      f.if(v.bias, () => f.set(sums[0]!, packing.loadLanes(v.bias, height, 0)));
      f.while(i32.ge_s(v.count, SUMS), () => step(SUMS));
      f.while(i32.gt_s(v.count, 0), () => step(1));
      const total = f32x4.add(f32x4.add(sums[0]!, sums[1]!), f32x4.add(sums[2]!, sums[3]!));
      f.set(sums[0]!, clampVector(total, f32x4.splat(v.low), f32x4.splat(v.high)));
      for (let r = 0; r < height; r++) {
        f.do(v128.store32_lane(v.out, sums[0]!, r));
        f.add(v.out, v.stride);
      }
    },
  );

const emit = (level: Level) => (m: Module) => {
  const widths = [TILE, TILE / 2, TILE / 4] as const;
  const packs = new Map(widths.map((width) => [width, addPack(m, width)]));
  const kinds = HEIGHTS.map((height) => ({
    height,
    tiles: widths
      .filter((width) => width * height <= TILE && (height > 1 || width !== TILE / 2))
      .map((width) => ({ width, product: addProduct(m, level, height, width), pack: packs.get(width)! })),
    column: addColumn(m, level, height),
  }));
  m.func("run", kernelParameters(spmmArgs), (f, v) => {
    const [row, from, count, j, line, width] = [
      ...[f.local("i32"), f.local("i32"), f.local("i32")],
      ...[f.local("i32"), f.local("i32"), f.local("i32")],
    ] as const;
    const [strideX, strideY] = [f.let(i32.shl(v.strideX, 2)), f.let(i32.shl(v.strideY, 2))];
    const panel = f.let(i32.add(v.scratch, TILE * FLOAT));
    const eachRow = (
      height: number,
      body: (args: { values: Int; indices: Int; count: Int; bias: Int }, y: Int) => void,
    ) =>
      f.for(row, 0, v.rows, height, () => {
        const start = i32.add(v.starts, i32.shl(i32.div_u(row, height), 2));
        f.set(from, i32.load(start));
        f.set(count, i32.sub(i32.load(start, FLOAT), from));
        body(
          {
            values: i32.add(v.values, i32.mul(from, height * FLOAT)),
            indices: i32.add(v.indices, i32.shl(from, 2)),
            count,
            bias: select(i32.add(v.bias, i32.shl(row, 2)), i32.const(0), v.bias),
          },
          i32.add(v.y, i32.mul(row, strideY)),
        );
      });
    const rest = { low: v.low, high: v.high };
    const kind = (body: Body, { height, tiles, column }: (typeof kinds)[number]) =>
      body.if(
        // not one column of many: threads must not change a bit
        i32.and(i32.eq(v.n, 1), i32.eq(v.strideY, 1)),
        () =>
          eachRow(height, (args, y) =>
            f.do(column.call({ ...args, x: v.x, strideX, out: y, stride: strideY, ...rest })),
          ),
        () => {
          f.set(j, 0);
          for (const { width: full, product, pack } of tiles) {
            const isLast = full === TILE / 4;
            // whole tiles of each width, and what is left in one of the narrowest
            f.while(isLast ? i32.lt_s(j, v.n) : i32.le_s(i32.add(j, full), v.n), () => {
              f.set(width, i32.sub(v.n, j));
              f.set(width, select(i32.const(full), width, i32.gt_s(width, full)));
              const x = i32.add(v.x, i32.shl(j, 2));
              f.do(pack.call({ x, stride: strideX, panel, depth: v.columns, width }));
              eachRow(height, (args, y) => {
                const out = i32.add(y, i32.shl(j, 2));
                f.if(
                  i32.eq(width, full),
                  () => f.do(product.call({ ...args, panel, out, stride: strideY, ...rest })),
                  () => {
                    f.do(product.call({ ...args, panel, out: v.scratch, stride: full * FLOAT, ...rest }));
                    for (let r = 0; r < height; r++)
                      f.for(line, 0, width, 1, () => {
                        const [to, at] = [i32.add(out, i32.mul(strideY, r)), i32.shl(line, 2)];
                        f.do(f32.store(i32.add(to, at), f32.load(i32.add(v.scratch, at), r * full * FLOAT)));
                      });
                  },
                );
              });
              f.add(j, full);
            });
          }
        },
      );
    for (const one of kinds) f.if(i32.eq(v.height, one.height), () => kind(f, one));
  });
};

export const spmmWasm: readonly WasmVariant[] = [
  { name: "tiles", level: "simd", spare: true, emit: emit("simd") },
  { name: "tiles, fma", level: "relaxed", emit: emit("relaxed") },
];
