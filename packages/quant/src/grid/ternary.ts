import type { Grid } from "./grid.ts";

/** Part of the mean magnitude below which a weight is 0. Source: TWN, arXiv:1605.04711, eq. 6. */
const TERNARY_THRESHOLD = 0.7;

const [MINUS, ZERO, PLUS] = [1, 2, 3];

/**
 * Ternary weights on a 2-bit grid, one scale for every block of a row:
 *
 *     Δ = 0.7 mean|w|      t = sign(w) [|w| > Δ]      α = mean |w| over |w| > Δ      w ≈ α t
 *
 * α is the least-squares scale of t. Source: TWN, arXiv:1605.04711, eq. 3 to 6.
 *
 * @param w [rows, columns], finite
 */
export const ternaryRows = (
  w: Float32Array,
  rows: number,
  columns: number,
  blockSize: number = columns,
  round: (scale: number) => number = Math.fround,
): Grid => {
  const blocks = Math.ceil(columns / blockSize);
  const codes = new Uint8Array(rows * columns).fill(ZERO);
  const scales = new Float32Array(rows * blocks);
  for (let row = 0; row < rows; row++)
    for (let block = 0; block < blocks; block++) {
      const start = row * columns + block * blockSize;
      const end = row * columns + Math.min(columns, (block + 1) * blockSize);
      let sum = 0;
      for (let i = start; i < end; i++) sum += Math.abs(w[i]!);
      const threshold = (TERNARY_THRESHOLD * sum) / (end - start);
      let [kept, count] = [0, 0];
      for (let i = start; i < end; i++) {
        if (!(Math.abs(w[i]!) > threshold)) continue;
        codes[i] = w[i]! > 0 ? PLUS : MINUS;
        kept += Math.abs(w[i]!);
        count++;
      }
      scales[row * blocks + block] = count > 0 ? round(kept / count) : 1;
    }
  return { bits: 2, rows, columns, blockSize, blocks, codes, scales, zeroPoints: undefined };
};
