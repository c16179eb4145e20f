import type { Grid, GridBits } from "./grid.ts";
import { highestOf, middleOf } from "./grid.ts";
import { nearest } from "./nearest.ts";

/**
 * Fractional bits n of Qm.n for values up to `most`: those that fill `bits` bits with the sign.
 *
 *     n = bits - 1 - ceil(log2 most)
 *
 * 0 for most = 0. Source: SPEC Q-18.
 */
export const fractionalBits = (most: number, bits: number): number => {
  if (!(most > 0)) return 0;
  let exponent = Math.ceil(Math.log2(most));
  // log2 is rounded: the exponent is the least with 2^exponent >= most
  if (2 ** (exponent - 1) >= most) exponent--;
  else if (2 ** exponent < most) exponent++;
  return bits - 1 - exponent;
};

/**
 * A matrix in fixed point: two's complement codes, and a power of two for every block of a row.
 *
 *     q = clamp(round(w * 2^n), -2^(bits - 1), 2^(bits - 1) - 1)      w ≈ q * 2^-n
 *
 * Guarantee: |w - ŵ| <= 2^(-n - 1) for w in [-2^(bits - 1 - n), (2^(bits - 1) - 1) 2^-n]. Source: SPEC Q-18.
 *
 * @param w         [rows, columns], finite
 * @param perTensor one n for all blocks
 */
export const fixedPointRows = (
  w: Float32Array,
  rows: number,
  columns: number,
  { bits, blockSize = columns, perTensor = false }: { bits: GridBits; blockSize?: number; perTensor?: boolean },
): Grid => {
  const blocks = Math.ceil(columns / blockSize);
  const [middle, highest] = [middleOf(bits), highestOf(bits)];
  const most = new Float32Array(rows * blocks);
  const eachBlock = (visit: (at: number, start: number, end: number) => void) => {
    for (let row = 0; row < rows; row++)
      for (let block = 0; block < blocks; block++) {
        const start = row * columns + block * blockSize;
        visit(row * blocks + block, start, row * columns + Math.min(columns, (block + 1) * blockSize));
      }
  };
  eachBlock((at, start, end) => {
    for (let i = start; i < end; i++) most[at] = Math.max(most[at]!, Math.abs(w[i]!));
  });
  const whole = most.reduce((a, b) => Math.max(a, b), 0);
  const scales = most.map((own) => 2 ** -fractionalBits(perTensor ? whole : own, bits));
  const codes = new Uint8Array(rows * columns);
  eachBlock((at, start, end) => {
    for (let i = start; i < end; i++) codes[i] = Math.max(0, Math.min(highest, nearest(w[i]! / scales[at]!) + middle));
  });
  return { bits, rows, columns, blockSize, blocks, codes, scales, zeroPoints: undefined };
};

/**
 * A product of fixed-point numbers, which has n1 + n2 fractional bits, brought to n3 by a rounding shift alone:
 *
 *     clamp((q + 2^(shift - 1)) >> shift, -2^(bits - 1), 2^(bits - 1) - 1)      shift = n1 + n2 - n3 >= 0
 *
 * Halves go up. Exact for |q| < 2^52.
 */
export const requantizeShift = (q: number, shift: number, bits: number): number => {
  const half = shift > 0 ? 2 ** (shift - 1) : 0;
  return saturate(Math.floor((q + half) / 2 ** shift), bits);
};

/** a + b, at the ends of the range where it would leave it. */
export const saturatingAdd = (a: number, b: number, bits: number): number => saturate(a + b, bits);

const saturate = (q: number, bits: number): number => Math.max(-(2 ** (bits - 1)), Math.min(2 ** (bits - 1) - 1, q));
