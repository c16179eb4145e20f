import { gemm64 } from "../ops/gemm64/op.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** A dense matrix of doubles, row-major: element (i, j) is `data[i * columns + j]`. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** Part of a matrix in the kernels' memory; `stride` doubles from row to row. */
export interface Block {
  readonly address: number;
  readonly rows: number;
  readonly columns: number;
  readonly stride: number;
}

const DOUBLE = 8;

/** Rows and columns of a block from [row, column] on. */
export const part = (block: Block, row: number, column: number, rows: number, columns: number): Block => ({
  address: block.address + (row * block.stride + column) * DOUBLE,
  rows,
  columns,
  stride: block.stride,
});

const extentOf = ({ rows, columns, stride }: Block) => (rows && columns ? (rows - 1) * stride + columns : 0);

/** A view of a block's memory as it is now, from its first element to its last. */
export const numbersOf = ({ arena }: Runtime, block: Block): Float64Array =>
  new Float64Array(arena.memory.buffer, block.address, extentOf(block));

export interface MultiplyOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
  /** What c holds counts so many times. */
  readonly beta?: number;
  /** Only the lower triangle of c. */
  readonly lower?: boolean;
}

/** c = alpha op(a) op(b) + beta c, beta 1 unless given. */
export const multiply = (
  runtime: Runtime,
  c: Block,
  a: Block,
  b: Block,
  { transA = false, transB = false, alpha = 1, beta = 1, lower = false }: MultiplyOptions = {},
): void => {
  if (c.rows === 0 || c.columns === 0) return;
  runtime.run(gemm64, {
    ...{ a: numbersOf(runtime, a), b: numbersOf(runtime, b), c: numbersOf(runtime, c) },
    ...{ m: c.rows, n: c.columns, k: transA ? a.rows : a.columns, alpha, beta },
    ...{ strideA: a.stride, strideB: b.stride, strideC: c.stride },
    ...{ transA: Number(transA), transB: Number(transB), diagonal: lower ? 0 : c.columns },
  });
};

/** Memory for the time of `work`: matrices of these sizes, rows without gaps, with any numbers in them. */
export const withBlocks = <R, S extends readonly (readonly [rows: number, columns: number])[]>(
  { arena }: Runtime,
  sizes: S,
  work: (blocks: { readonly [K in keyof S]: Block }) => R,
): R => {
  const blocks: Block[] = [];
  try {
    for (const [rows, columns] of sizes)
      blocks.push({ address: arena.allocate(rows * columns * DOUBLE), rows, columns, stride: columns });
    return work(blocks as unknown as { readonly [K in keyof S]: Block });
  } finally {
    for (const { address } of blocks) arena.free(address);
  }
};

/** A copy of a block that has no gaps, outside of the kernels' memory. */
export const matrixFrom = (runtime: Runtime, block: Block): Matrix => ({
  rows: block.rows,
  columns: block.columns,
  data: numbersOf(runtime, block).slice(),
});
