import { type Body, type Expr, f32, i32, type Local, type Module, select } from "../../asm/index.ts";
import { addEdge } from "./edge.ts";
import { addMicro, addMicroApart, DEPTH_STEP, type Tile } from "./micro.ts";

/** Steps of k in one pass: a panel of B stays in the first cache. */
export const DEPTH_BLOCK = 256;
/** Rows of A that are packed at once: they stay in the second cache. A multiple of every tile's rows. */
const ROW_BLOCK = 120;
/** Columns of B that are packed at once. A multiple of every tile's columns. */
const COLUMN_BLOCK = 2048;
const WIDEST_TILE = 16;
const LARGEST_TILE_BYTES = 16 * 16 * 4;
const FLOAT = 4;

const roundUp = (value: number, to: number) => Math.ceil(value / to) * to;

/** Bytes of scratch memory for a product of these sizes. */
export const productScratch = (m: number, n: number, k: number): number => {
  const depth = Math.min(roundUp(k, DEPTH_STEP), DEPTH_BLOCK);
  const rows = Math.min(m + WIDEST_TILE - 1, ROW_BLOCK);
  const columns = Math.min(n + WIDEST_TILE - 1, COLUMN_BLOCK);
  return LARGEST_TILE_BYTES + (rows + columns) * depth * FLOAT;
};

type Int = Expr<"i32">;
const least = (a: Int, b: Int): Int => select(a, b, i32.lt_s(a, b));

/** One panel to pack: `width` rows of A (or columns of B) from `start`, `depth` steps of k from `k`, to address `to`. */
interface Panel {
  readonly start: Int;
  readonly width: Int;
  readonly k: Int;
  readonly depth: Int;
  readonly to: Int;
}

/** The sums of a tile, whole, its rows tight; inside C are `rows` and `columns` of them from [i, j] on. */
interface FinishedTile {
  readonly at: Int;
  readonly i: Int;
  readonly j: Int;
  readonly rows: Int;
  readonly columns: Int;
  /** Not 0 for the first block of k. */
  readonly isFirst: Int;
}

/** How B is read without packing it: row k of the panel that starts at column j lies at first(j) + along[k]. */
export interface Apart {
  /** Not 0 where the panel's columns are neighbours. Panels at the edge are packed in any case. */
  readonly fits: (j: Int) => Int;
  readonly first: (j: Int) => Int;
  /** A table of byte offsets. */
  readonly along: Int;
}

export interface Product {
  readonly m: Int;
  readonly n: Int;
  readonly k: Int;
  /** The address of C[i, j], and bytes from row to row. Not used with `store`. */
  readonly address: (i: Int, j: Int) => Int;
  readonly stride: Int;
  /** Not 0: C holds something already that the product is added to. */
  readonly accumulate: Int;
  readonly low: Expr<"f32">;
  readonly high: Expr<"f32">;
  readonly scratch: Int;
  /** Steps of k for which one panel is packed before the next is; a multiple of DEPTH_STEP. */
  readonly chunkA: Int;
  readonly chunkB: Int;
  /** Emit the packing of one panel, see `addPacking`. */
  readonly packA: (panel: Panel) => void;
  readonly packB: (panel: Panel) => void;
  /** Whole panels of B that can be used where they lie are not packed. */
  readonly apart?: Apart;
  /** Not 0 for a tile that is not wanted, by its first row and column. */
  readonly skip?: (i: Int, j: Int) => Int;
  /** Emits what is done with a tile's sums over one block of k, instead of storing them in C. */
  readonly store?: (tile: FinishedTile) => void;
}

/**
 * Adds what a product needs to a module and returns the emitter of its loops:
 *
 *     C = clamp(A B + (accumulate ? C : 0), low, high)      A [m, k], B [k, n]
 *
 * over blocks of k, then columns, then rows, each packed once into panels for the tiles. Source of the scheme: Goto and
 * van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008.
 */
export const addProduct = (module: Module, tile: Tile, needsApart = false) => {
  const micro = addMicro(module, tile);
  const microApart = needsApart ? addMicroApart(module, tile) : undefined;
  const edge = addEdge(module, tile.columns);
  const rowBlock = Math.floor(ROW_BLOCK / tile.rows) * tile.rows;

  return (f: Body, p: Product): void => {
    const int = () => f.local("i32");
    const [k, depth, padded, from, steps, accumulate] = [int(), int(), int(), int(), int(), int()];
    const [ic, rows, i, height] = [int(), int(), int(), int()];
    const [jc, columns, j, width] = [int(), int(), int(), int()];
    const [low, high] = [f.local("f32"), f.local("f32")];
    const packedA = f.let(i32.add(p.scratch, LARGEST_TILE_BYTES));
    const packedB = f.local("i32");
    const at = (base: Int, index: Int): Int => i32.add(base, i32.shl(i32.mul(index, padded), 2));

    const packAll = (side: "A" | "B", step: number, i_: Local<"i32">, start: Int, count: Int, size: Local<"i32">) => {
      const to = side === "A" ? packedA : packedB;
      f.for(from, 0, depth, p[`chunk${side}`], () => {
        f.set(steps, least(p[`chunk${side}`], i32.sub(depth, from)));
        f.for(i_, 0, count, step, () => {
          f.set(size, least(i32.const(step), i32.sub(count, i_)));
          const offset = i32.mul(from, step * FLOAT);
          const panel = { start: i32.add(start, i_), width: size, k: i32.add(k, from), depth: steps };
          p[`pack${side}`]({ ...panel, to: i32.add(at(to, i_), offset) });
        });
      });
    };

    // Of B one panel at a time is packed, or used where it lies.
    const [inPlace, first] = [f.local("i32"), f.local("i32")];
    const nextPanel = ({ fits, first: at_ }: Apart) => {
      const column = i32.add(jc, j);
      f.set(inPlace, i32.eq(width, tile.columns));
      f.if(inPlace, () => f.set(inPlace, fits(column)));
      f.if(
        inPlace,
        () => f.set(first, at_(column)),
        () => p.packB({ start: column, width, k, depth, to: packedB }),
      );
    };
    type Rest = Omit<Parameters<typeof micro.call>[0], "a" | "b" | "depth">;
    const multiply = (rest: Rest) => {
      const a = at(packedA, i);
      const packed = (b: Int) => f.do(micro.call({ a, b, depth: padded, ...rest }));
      if (!p.apart || !microApart) return packed(at(packedB, j));
      const along = i32.add(p.apart.along, i32.shl(k, 2));
      f.if(
        inPlace,
        () => f.do(microApart.call({ a, b: first, depth, along, ...rest })),
        () => packed(packedB),
      );
    };

    const plain = { accumulate: 0, low: -Infinity, high: Infinity };
    const oneTile = () => {
      f.set(height, least(i32.const(tile.rows), i32.sub(rows, i)));
      const [row, column] = [i32.add(ic, i), i32.add(jc, j)];
      const whole = () => multiply({ c: p.scratch, stride: i32.const(tile.columns * FLOAT), ...plain });
      if (p.store) {
        whole();
        p.store({ at: p.scratch, i: row, j: column, rows: height, columns: width, isFirst: i32.eqz(k) });
        return;
      }
      const target = { c: p.address(row, column), stride: p.stride, accumulate, low, high };
      f.if(
        i32.and(i32.eq(height, tile.rows), i32.eq(width, tile.columns)),
        () => multiply(target),
        () => {
          whole();
          f.do(edge.call({ tile: p.scratch, rows: height, columns: width, ...target }));
        },
      );
    };

    f.for(k, 0, p.k, DEPTH_BLOCK, () => {
      f.set(depth, least(i32.const(DEPTH_BLOCK), i32.sub(p.k, k)));
      f.set(padded, i32.and(i32.add(depth, DEPTH_STEP - 1), -DEPTH_STEP));
      f.set(accumulate, i32.or(p.accumulate, i32.gt_s(k, 0)));
      const isLast = i32.eq(i32.add(k, depth), p.k);
      f.set(low, select(p.low, f32.const(-Infinity), isLast));
      f.set(high, select(p.high, f32.const(Infinity), isLast));
      f.for(jc, 0, p.n, COLUMN_BLOCK, () => {
        f.set(columns, least(i32.const(COLUMN_BLOCK), i32.sub(p.n, jc)));
        // A's panels come first in memory; their room is for all rows of a block, rounded up to whole tiles.
        f.set(rows, least(i32.const(rowBlock), i32.mul(i32.div_s(i32.add(p.m, tile.rows - 1), tile.rows), tile.rows)));
        f.set(packedB, at(packedA, rows));
        if (!p.apart) packAll("B", tile.columns, j, jc, columns, width);
        f.for(ic, 0, p.m, rowBlock, () => {
          f.set(rows, least(i32.const(rowBlock), i32.sub(p.m, ic)));
          packAll("A", tile.rows, i, ic, rows, height);
          f.for(j, 0, columns, tile.columns, () => {
            f.set(width, least(i32.const(tile.columns), i32.sub(columns, j)));
            if (p.apart) nextPanel(p.apart);
            f.for(i, 0, rows, tile.rows, () => {
              if (p.skip) f.if(i32.eqz(p.skip(i32.add(ic, i), i32.add(jc, j))), oneTile);
              else oneTile();
            });
          });
        });
      });
    });
  };
};
