import { type CodeFormat, GROUP, packCodes } from "./formats.ts";

/** Codes as ONNX's MatMulNBits has them: [rows, blocks, ceil(blockSize bits / 8)] bytes, low bits first. */
export interface BlockCodes {
  readonly codes: Uint8Array;
  readonly rows: number;
  readonly blocks: number;
  readonly blockSize: number;
}

const NIBBLES = [0x0000ffff, 0x00ff00ff, 0x0f0f0f0f] as const;
/** Fields of `bits` bits at 0, bits, 2 bits … of the low end of x, each to a byte of its own. */
const spread = {
  4: (x: number) => {
    const pairs = (x | (x << 8)) & NIBBLES[1];
    return (pairs | (pairs << 4)) & NIBBLES[2];
  },
  2: (x: number) => (x & 3) | ((x & 12) << 6) | ((x & 48) << 12) | ((x & 192) << 18),
} as const;

/** Whole words at a time: quad t of a unit is 4 bits bits of the source, and goes to bit t bits of each byte. */
const repackWords = (bits: 2 | 4, source: Uint32Array, target: Uint32Array, rows: number, units: number) => {
  const spreadOut = spread[bits];
  const quads = 8 / bits;
  const mask = 2 ** (4 * bits) - 1;
  for (let row = 0; row < rows; row++) {
    const group = Math.floor(row / GROUP) * units * GROUP + (row % GROUP);
    for (let unit = 0; unit < units; unit++) {
      const x = source[row * units + unit]!;
      let y = 0;
      for (let t = 0; t < quads; t++) y |= spreadOut((x >>> (4 * bits * t)) & mask) << (bits * t);
      target[group + unit * GROUP] = y;
    }
  }
};

/** Fields of `bits` bits, low bits first, as bytes. */
export const unpackFields = (bytes: Uint8Array, bits: number, count: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, i) => {
    const bit = i * bits;
    const word = bytes[bit >> 3]! | ((bytes[(bit >> 3) + 1] ?? 0) << 8);
    return (word >> (bit & 7)) & (2 ** bits - 1);
  });

/** Writes codes into `target`, which is zero, in the format's layout. Block sizes are multiples of 32, or 16 without 3 bits. */
export const repack = (format: CodeFormat, source: BlockCodes, target: Uint8Array): void => {
  const { codes, rows, blocks, blockSize } = source;
  const { bits, span } = format;
  if (bits !== 3) {
    const aligned = codes.byteOffset % 4 === 0 ? codes : codes.slice();
    const words = new Uint32Array(aligned.buffer, aligned.byteOffset, codes.length >> 2);
    const into = new Uint32Array(target.buffer, target.byteOffset, target.length >> 2);
    repackWords(bits, words, into, rows, (blocks * blockSize) / span);
    return;
  }
  const k = blocks * blockSize;
  const rowBytes = (k * bits) / 8;
  for (let first = 0; first < rows; first += GROUP) {
    const count = Math.min(GROUP, rows - first);
    const fields = unpackFields(codes.subarray(first * rowBytes, (first + count) * rowBytes), bits, count * k);
    target.set(packCodes(format, fields, count, k), (first / GROUP) * rowBytes * GROUP);
  }
};
