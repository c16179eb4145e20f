import type { Grid } from "./grid.ts";

const BYTE = 8;

const NIBBLE = 4;
const NIBBLES_PER_WORD = 4;

/** Codes of 4 bits to bytes, four at a time: abcd of a little-endian word become b << 4 | a and d << 4 | c. */
const packNibbles = (codes: Uint8Array): Uint8Array => {
  const words = new Uint32Array(codes.buffer, codes.byteOffset, codes.length / NIBBLES_PER_WORD);
  const packed = new Uint16Array(words.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const pairs = word | (word >>> NIBBLE);
    packed[i] = (pairs & 0xff) | ((pairs >>> BYTE) & 0xff00);
  }
  return new Uint8Array(packed.buffer);
};

/** Bytes of a row of `columns` codes that starts on a byte. */
export const packedLength = (columns: number, bits: number): number => Math.ceil((columns * bits) / BYTE);

/** Widths that do not divide a byte: codes lie across the boundary of bytes. */
const packStream = (
  codes: Uint8Array,
  [rows, columns]: readonly [number, number],
  bits: number,
  { padded, fill }: { readonly padded: number; readonly fill: number },
): Uint8Array => {
  const width = packedLength(padded, bits);
  const packed = new Uint8Array(rows * width);
  for (let row = 0; row < rows; row++) {
    let [held, used, to] = [0, 0, row * width];
    for (let column = 0; to < (row + 1) * width; column++) {
      held |= (column < columns ? codes[row * columns + column]! : fill) << used;
      used += bits;
      for (; used >= BYTE && to < (row + 1) * width; used -= BYTE) {
        packed[to++] = held & 0xff;
        held >>>= BYTE;
      }
    }
  }
  return packed;
};

/**
 * Codes packed low bits first, every row on a byte boundary: code i of a row is at its bits i * bits, counted from the
 * lowest bit of its first byte.
 *
 * @param codes  [rows, columns], 0 .. 2^bits - 1
 * @param padded columns of a packed row; those past `columns`, and the bits that fill the last byte, hold `fill`
 * @returns [rows, ceil(padded * bits / 8)]
 */
export const packRows = (
  codes: Uint8Array,
  rows: number,
  columns: number,
  bits: number,
  { padded = columns, fill = 0 }: { padded?: number; fill?: number } = {},
): Uint8Array => {
  if (bits === BYTE && padded === columns) return codes;
  if (bits === NIBBLE && columns % NIBBLES_PER_WORD === 0 && padded === columns && codes.byteOffset % 4 === 0)
    return packNibbles(codes);
  const width = packedLength(padded, bits);
  if (BYTE % bits !== 0) return packStream(codes, [rows, columns], bits, { padded, fill });
  const perByte = BYTE / bits;
  const packed = new Uint8Array(rows * width);
  const fullBytes = Math.floor(columns / perByte);
  for (let row = 0; row < rows; row++) {
    const from = row * columns;
    const to = row * width;
    if (bits === 4)
      for (let j = 0; j < fullBytes; j++) packed[to + j] = codes[from + 2 * j]! | (codes[from + 2 * j + 1]! << bits);
    else
      for (let j = 0; j < fullBytes; j++) {
        let byte = 0;
        for (let i = 0; i < perByte; i++) byte |= codes[from + perByte * j + i]! << (i * bits);
        packed[to + j] = byte;
      }
    for (let j = fullBytes; j < width; j++) {
      let byte = 0;
      for (let i = 0; i < perByte; i++) {
        const column = perByte * j + i;
        byte |= (column < columns ? codes[from + column]! : fill) << (i * bits);
      }
      packed[to + j] = byte;
    }
  }
  return packed;
};

/** Codes of a grid as `packRows` gives them, without packing them again. */
export const packedCodes = (
  grid: Pick<Grid, "bits" | "rows" | "columns" | "codes" | "packed">,
  { padded = grid.columns, fill = 0 }: { padded?: number; fill?: number } = {},
): Uint8Array =>
  grid.packed && padded === grid.columns
    ? grid.packed
    : packRows(grid.codes, grid.rows, grid.columns, grid.bits, { padded, fill });

/** The opposite of `packRows`: [rows, columns] codes from rows of `padded` columns. */
export const unpackRows = (
  packed: Uint8Array,
  rows: number,
  columns: number,
  bits: number,
  { padded = columns }: { padded?: number } = {},
): Uint8Array => {
  const width = packedLength(padded, bits);
  const codes = new Uint8Array(rows * columns);
  const mask = 2 ** bits - 1;
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const bit = column * bits;
      const at = row * width + Math.floor(bit / BYTE);
      // the byte behind the row's last is read for no bits
      codes[row * columns + column] = ((packed[at]! | (packed[at + 1]! << BYTE)) >> (bit % BYTE)) & mask;
    }
  return codes;
};
