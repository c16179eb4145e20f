import type { Values } from "../../op.ts";
import { roundEven } from "../round-even.ts";
import { GRID_MODES, type GridNumbers } from "./grid.ts";
import type { quantizeBlocksArgs } from "./op.ts";

const HALF_BITS = 10;
const [LEAST_HALF, MOST_HALF] = [2 ** -14, 65504];

/** A scale as it is stored: float16's bits where float16 is asked for and holds it with all of them, else float32's. */
const stored = (x: number, half: number): number => {
  const size = Math.abs(x);
  if (!half || !(size >= LEAST_HALF && size <= MOST_HALF)) return Math.fround(x);
  let exponent = Math.floor(Math.log2(size));
  if (2 ** exponent > size) exponent--;
  else if (2 ** (exponent + 1) <= size) exponent++;
  const step = 2 ** (exponent - HALF_BITS);
  return roundEven(x / step) * step;
};

/** Quantizes one block, given its values: their codes, scale and zero point. The scale NaN where one is not finite. */
export const quantizeBlock = (values: ArrayLike<number>, { mode, highest, half }: GridNumbers) => {
  let [low, high] = [0, 0];
  let finite = true;
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i]!);
    high = Math.max(high, values[i]!);
    finite &&= Number.isFinite(values[i]!);
  }
  const middle = (highest + 1) / 2;
  const codes = new Uint8Array(values.length);
  if (!finite) return { codes, scale: Number.NaN, zero: 0, finite };
  const exact =
    mode === GRID_MODES.affine
      ? (high - low) / highest
      : mode === GRID_MODES.full
        ? (high > -low ? high : low) / -middle
        : Math.max(high, -low) / (middle - 1);
  const rounded = stored(exact, half);
  const scale = rounded === 0 ? 1 : rounded;
  const zero = mode === GRID_MODES.affine ? Math.min(highest, roundEven(-low / scale)) : middle;
  const lowest = mode === GRID_MODES.narrow ? 1 : 0;
  const inverse = 1 / scale;
  for (let i = 0; i < codes.length; i++)
    codes[i] = Math.min(highest, Math.max(lowest, roundEven(values[i]! * inverse) + zero));
  return { codes, scale, zero, finite };
};

/** Bytes of codes: as they are, or two in a byte, the first one low. */
export const packed = (codes: Uint8Array, nibbles: number): Uint8Array =>
  nibbles ? Uint8Array.from({ length: codes.length / 2 }, (_, i) => codes[2 * i]! | (codes[2 * i + 1]! << 4)) : codes;

export const quantizeBlocksReference = (v: Values<typeof quantizeBlocksArgs>): void => {
  const bytes = v.nibbles ? v.blockSize / 2 : v.blockSize;
  for (let block = 0; block < v.blocks; block++) {
    const start = block * v.blockSize;
    const { codes, scale, zero, finite } = quantizeBlock(v.w.subarray(start, start + v.blockSize), v);
    v.scales[block] = scale;
    v.zeros[block] = finite ? zero : 0;
    v.codes.set(packed(codes, v.nibbles), block * bytes);
  }
};
