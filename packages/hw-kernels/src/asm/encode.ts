/** An unsigned number in LEB128. */
export const unsigned = (value: number): number[] => {
  const out: number[] = [];
  let rest = value;
  do {
    const byte = rest % 0x80;
    rest = Math.floor(rest / 0x80);
    out.push(rest ? byte + 0x80 : byte);
  } while (rest);
  return out;
};

/** A signed number in LEB128. */
export const signed = (value: bigint | number): number[] => {
  const out: number[] = [];
  let rest = BigInt(value);
  for (;;) {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = rest === (byte & 0x40 ? -1n : 0n);
    out.push(done ? byte : byte + 0x80);
    if (done) return out;
  }
};

/** The bytes of a typed array, little endian as WebAssembly wants them and as every JavaScript host stores them. */
export const bytesOf = (array: ArrayBufferView): number[] => [
  ...new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
];

/** A list: its length, then its items. */
export const vector = (items: readonly (readonly number[])[]): number[] => [...unsigned(items.length), ...items.flat()];

/** Bytes with their length in front. */
export const sized = (bytes: readonly number[]): number[] => [...unsigned(bytes.length), ...bytes];

export const text = (value: string): number[] => sized([...new TextEncoder().encode(value)]);
