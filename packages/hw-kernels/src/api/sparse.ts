import { EspalierError } from "../errors.ts";
import { activate } from "../ops/activate/op.ts";
import { spmm } from "../ops/spmm/op.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Handle, makeHandle, type Tensor } from "../tensor.ts";
import { type Activation, activationKind, splitActivation } from "./activation.ts";
import { floatOutput, matrixOf, mismatch, vectorOf } from "./operands.ts";

/** A sparse matrix in the kernels' memory. */
export interface SparseMatrix {
  readonly dims: readonly [rows: number, columns: number];
  /** Rows of a block: each block is so many numbers of one column, of which one at least is not zero. */
  readonly blockRows: 1 | 2 | 4;
  /** Row r of blocks holds blocks starts[r] to starts[r + 1]. */
  readonly starts: Handle<"int32">;
  /** The column of each block. */
  readonly indices: Handle<"int32">;
  /** [blocks, blockRows] */
  readonly values: Handle<"float32">;
  dispose(): void;
}

export interface SparseKernels {
  /**
   * A matrix [rows, columns] without its zeros: CSR, or with `blockRows` 2 or 4 blocks of so many rows, which are faster
   * where zeros come together. Rows must be a multiple of it. Weights with two of four numbers zero fit as they are.
   */
  sparse(w: Tensor, options?: { readonly blockRows?: 1 | 2 | 4 }): SparseMatrix;
  /** activation(W X + bias) [rows, n] for x [columns, n], or [rows] for x [columns]; bias [rows]. */
  spmm(
    w: SparseMatrix,
    x: Tensor,
    options?: { readonly bias?: Tensor; readonly activation?: Activation; readonly out?: Tensor<"float32"> },
  ): Tensor<"float32">;
}

/** Products of sparse matrices. */
export const sparseKernels = ({ arena, run }: Runtime): SparseKernels => ({
  sparse: (w, { blockRows = 1 } = {}) => {
    const { data, rows, columns } = matrixOf("sparse", "w", w);
    if (![1, 2, 4].includes(blockRows) || rows % blockRows !== 0)
      throw new EspalierError(
        "BAD_OPTION",
        "hw-kernels/sparse",
        `blockRows is ${blockRows} and w has ${rows} rows. Give 1, 2 or 4 that divides them.`,
      );
    const starts = new Int32Array(rows / blockRows + 1);
    const indices: number[] = [];
    const values: number[] = [];
    for (let row = 0; row < rows; row += blockRows) {
      for (let column = 0; column < columns; column++) {
        const block = Array.from({ length: blockRows }, (_, r) => data[(row + r) * columns + column]!);
        if (block.every((value) => value === 0)) continue;
        indices.push(column);
        values.push(...block);
      }
      starts[row / blockRows + 1] = indices.length;
    }
    const handles = [
      makeHandle(arena, "int32", [starts.length], starts),
      makeHandle(arena, "int32", [indices.length], indices),
      makeHandle(arena, "float32", [indices.length, blockRows], values),
    ] as const;
    return {
      ...{ dims: [rows, columns], blockRows, starts: handles[0], indices: handles[1], values: handles[2] },
      dispose: () => {
        for (const handle of handles) handle.dispose();
      },
    };
  },
  spmm: (w, x, { bias, activation = "none", out } = {}) => {
    const [rows, columns] = w.dims;
    const isVector = x.dims.length === 1;
    const given = matrixOf("spmm", "x", isVector ? { ...x, dims: [...x.dims, 1] } : x);
    if (given.rows !== columns) throw mismatch("spmm", { ...x, dims: w.dims }, x, `W has ${columns} columns`);
    const n = given.columns;
    const result = floatOutput("spmm", isVector ? [rows] : [rows, n], out);
    const { range, after } = splitActivation(activation);
    run(spmm, {
      ...{ starts: w.starts.data, indices: w.indices.data, values: w.values.data, x: given.data },
      bias: bias ? vectorOf("spmm", "bias", bias, rows) : new Float32Array(),
      ...{ y: result.data, rows, columns, n, height: w.blockRows, strideX: n, strideY: n, ...range },
    });
    const kind = after && activationKind(after);
    if (kind !== undefined) run(activate, { x: result.data, y: result.data, count: result.data.length, kind });
    return result;
  },
});
