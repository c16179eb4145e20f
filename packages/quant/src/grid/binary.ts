import type { Rng } from "@espalier/core";
import type { ValueGrid } from "./value-grid.ts";

/** What the two codes stand for. */
const SIGNS = Float32Array.of(-1, 1);

export interface BinaryOptions {
  readonly blockSize?: number;
  /** Scale of a block: its mean magnitude, which is the least-squares one, or 1 as BinaryConnect has it. */
  readonly scale?: "mean" | "one";
  /** Rounds at random, so that the expectation is w where |w| is at most the scale; to the sign without. */
  readonly rng?: Rng | undefined;
  readonly round?: (scale: number) => number;
}

/**
 * Binary weights, one bit each, one scale for every block of a row:
 *
 *     b = +1 where w >= 0, else -1; or +1 with probability clip((w / α + 1) / 2, 0, 1)      w ≈ α b
 *
 * Source: BinaryConnect, arXiv:1511.00363, eq. 1 and 2; α = mean|w| of XNOR-Net, arXiv:1603.05279, eq. 6.
 *
 * @param w [rows, columns], finite
 */
export const binaryRows = (
  w: Float32Array,
  rows: number,
  columns: number,
  { blockSize = columns, scale = "mean", rng, round = Math.fround }: BinaryOptions = {},
): ValueGrid => {
  const blocks = Math.ceil(columns / blockSize);
  const codes = new Uint8Array(rows * columns);
  const scales = new Float32Array(rows * blocks);
  for (let row = 0; row < rows; row++)
    for (let block = 0; block < blocks; block++) {
      const start = row * columns + block * blockSize;
      const end = row * columns + Math.min(columns, (block + 1) * blockSize);
      let sum = 0;
      for (let i = start; i < end; i++) sum += Math.abs(w[i]!);
      const alpha = scale === "one" ? 1 : round(sum / (end - start));
      scales[row * blocks + block] = alpha;
      for (let i = start; i < end; i++) {
        const plus = rng ? rng.uniform() < (w[i]! / (alpha || 1) + 1) / 2 : w[i]! >= 0;
        codes[i] = plus ? 1 : 0;
      }
    }
  return { bits: 1, rows, columns, blockSize, blocks, codes, values: SIGNS, scales, stored: undefined };
};
