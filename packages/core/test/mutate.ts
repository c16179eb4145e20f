import fc from "fast-check";

/** A change to the bytes of a file, as what damaged downloads and hostile files are like. */
export type Mutation =
  | { readonly kind: "truncate"; readonly at: number }
  | { readonly kind: "flip"; readonly at: readonly number[] }
  | { readonly kind: "overwrite"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "insert"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "remove" | "repeat" | "zero"; readonly at: number; readonly length: number };

const BITS_PER_BYTE = 8;
const MAX_SPAN = 4096;

/** Mutations whose places are fractions of the file, with half of them within its graph, where they hurt. */
export const mutation = (size: number): fc.Arbitrary<Mutation> => {
  const graphBytes = Math.min(size, 1 << 16);
  const at = fc.oneof(
    fc.integer({ min: 0, max: size - 1 }),
    fc.integer({ min: 0, max: graphBytes - 1 }),
    fc.integer({ min: size - graphBytes, max: size - 1 }),
  );
  const length = fc.integer({ min: 1, max: MAX_SPAN });
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 16 }),
    fc.constantFrom(
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f),
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
      Uint8Array.of(0x0b, 0x0c),
    ),
  );
  return fc.oneof(
    fc.record({ kind: fc.constant("truncate" as const), at }),
    fc.record({
      kind: fc.constant("flip" as const),
      at: fc.array(
        at.map((byte) => byte * BITS_PER_BYTE + (byte % BITS_PER_BYTE)),
        { minLength: 1, maxLength: 8 },
      ),
    }),
    fc.record({ kind: fc.constantFrom("overwrite" as const, "insert" as const), at, bytes }),
    fc.record({ kind: fc.constantFrom("remove" as const, "repeat" as const, "zero" as const), at, length }),
  );
};

/** A changed copy of `file`. */
export const mutate = (file: Uint8Array, m: Mutation): Uint8Array => {
  if (m.kind === "truncate") return file.slice(0, m.at);
  if (m.kind === "flip") {
    const copy = file.slice();
    for (const bit of m.at) copy[Math.floor(bit / BITS_PER_BYTE)] ^= 1 << (bit % BITS_PER_BYTE);
    return copy;
  }
  if (m.kind === "overwrite") {
    const copy = file.slice();
    copy.set(m.bytes.subarray(0, file.length - m.at), m.at);
    return copy;
  }
  const join = (...pieces: Uint8Array[]) => new Uint8Array(Buffer.concat(pieces));
  if (m.kind === "insert") return join(file.subarray(0, m.at), m.bytes, file.subarray(m.at));
  const end = Math.min(file.length, m.at + m.length);
  if (m.kind === "zero") return file.slice().fill(0, m.at, end);
  if (m.kind === "remove") return join(file.subarray(0, m.at), file.subarray(end));
  return join(file.subarray(0, end), file.subarray(m.at, end), file.subarray(end));
};
