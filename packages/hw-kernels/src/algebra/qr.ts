import type { Runtime } from "../runtime/runtime.ts";
import { type Block, type Matrix, numbersOf, withBlocks } from "./block.ts";
import { applyBackward, reduceLines } from "./reflectors.ts";
import { transposed } from "./transpose.ts";

export interface Qr {
  /** [m, min(m, n)], orthonormal columns */
  readonly q: Matrix;
  /** [min(m, n), n], zeros under the diagonal, which is not negative */
  readonly r: Matrix;
}

/** Rows of the identity. */
export const fillIdentity = (runtime: Runtime, block: Block): void => {
  const numbers = numbersOf(runtime, block).fill(0);
  for (let i = 0; i < block.rows; i++) numbers[i * block.stride + i] = 1;
};

export const qr = (runtime: Runtime, { rows: m, columns: n, data }: Matrix): Qr => {
  const rank = Math.min(m, n);
  return withBlocks(
    runtime,
    [
      [n, m],
      [rank, m],
      [rank, m],
    ],
    ([x, lines, turned]) => {
      numbersOf(runtime, x).set(transposed(data, m, n));
      const reflectors = reduceLines(runtime, x, lines);
      fillIdentity(runtime, turned);
      applyBackward(runtime, reflectors, turned);
      const [columns, q] = [numbersOf(runtime, x), numbersOf(runtime, turned)];
      const r = new Float64Array(rank * n);
      for (let k = 0; k < rank; k++) {
        const sign = columns[k * m + k]! < 0 ? -1 : 1;
        for (let j = k; j < n; j++) r[k * n + j] = sign * columns[j * m + k]!;
        if (sign < 0) for (let i = k * m; i < (k + 1) * m; i++) q[i] = -q[i]!;
      }
      return {
        q: { rows: m, columns: rank, data: transposed(q, rank, m) },
        r: { rows: rank, columns: n, data: r },
      };
    },
  );
};
