import type { Code } from "./types.ts";

/** An unsigned number in LEB128. */
export const unsigned = (value: number): number[] => {
  if (value < 0x80) return [value];
  const out: number[] = [];
  let rest = value;
  do {
    const byte = rest % 0x80;
    rest = Math.floor(rest / 0x80);
    out.push(rest ? byte + 0x80 : byte);
  } while (rest);
  return out;
};

/** A signed number of 32 bits in LEB128. */
export const signed = (value: number): number[] => {
  const out: number[] = [];
  for (let rest = value; ; ) {
    const byte = rest & 0x7f;
    rest >>= 7;
    const done = rest === (byte & 0x40 ? -1 : 0);
    out.push(done ? byte : byte | 0x80);
    if (done) return out;
  }
};

/** A signed number of 64 bits in LEB128. */
export const signed64 = (value: bigint): number[] => {
  const out: number[] = [];
  for (let rest = value; ; ) {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = rest === (byte & 0x40 ? -1n : 0n);
    out.push(done ? byte : byte | 0x80);
    if (done) return out;
  }
};

/** Appends a tree of bytes to a list of them. */
export const append = (out: number[], code: Code): void => {
  for (let i = 0; i < code.length; i++) {
    const part = code[i]!;
    if (typeof part === "number") out.push(part);
    else append(out, part);
  }
};

/** The bytes of a typed array, little endian as WebAssembly wants them and as every JavaScript host stores them. */
export const bytesOf = (array: ArrayBufferView): number[] => [
  ...new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
];

/** A list: its length, then its items. */
export const vector = (items: readonly Code[]): Code => [unsigned(items.length), items];

/** Bytes with their length in front. */
export const sized = (code: Code): Code => {
  const bytes: number[] = [];
  append(bytes, code);
  return [unsigned(bytes.length), bytes];
};

export const text = (value: string): Code => sized([...new TextEncoder().encode(value)]);
