/** Statistics that can be kept: flat objects of numbers and doubles, as Gram matrices and norms are. */
type Flat = Readonly<Record<string, number | Float64Array>>;

interface Header {
  /** Objects, by field: a number, or [offset, length] of doubles. */
  readonly objects: readonly Readonly<Record<string, number | readonly [number, number]>>[];
  /** Which object each name has; several may share one. */
  readonly names: readonly (readonly [string, number])[];
}

const DOUBLE = 8;
const LENGTH_BYTES = 8;

/** Statistics by name as bytes, of each object the numbers and doubles only: length of the header, the header as JSON, doubles. Names that share an object share it again. */
export const encodeStats = (stats: ReadonlyMap<string, unknown>): Uint8Array => {
  const indices = new Map<Flat, number>();
  const arrays: Float64Array[] = [];
  let doubles = 0;
  const objects = [...new Set(stats.values() as Iterable<Flat>)].map((object, index) => {
    indices.set(object, index);
    const fields: Record<string, number | readonly [number, number]> = {};
    for (const [field, value] of Object.entries(object)) {
      if (typeof value === "number") fields[field] = value;
      else if (value instanceof Float64Array) {
        fields[field] = [doubles, value.length];
        arrays.push(value);
        doubles += value.length;
      }
    }
    return fields;
  });
  const names = [...stats].map(([name, object]) => [name, indices.get(object as Flat)!] as const);
  const text = JSON.stringify({ objects, names } satisfies Header);
  // padded, so that the doubles behind it are aligned
  const header = new TextEncoder().encode(text);
  const start = DOUBLE * Math.ceil((LENGTH_BYTES + header.length) / DOUBLE);
  const bytes = new Uint8Array(start + DOUBLE * doubles);
  new DataView(bytes.buffer).setFloat64(0, header.length, true);
  bytes.set(header, LENGTH_BYTES);
  let at = start;
  for (const { buffer, byteOffset, byteLength } of arrays) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return bytes;
};

/** What `encodeStats` was given; undefined for bytes that are no such thing. */
export const decodeStats = (given: Uint8Array): Map<string, unknown> | undefined => {
  try {
    const bytes = given.slice();
    const length = new DataView(bytes.buffer).getFloat64(0, true);
    const { objects, names } = JSON.parse(
      new TextDecoder().decode(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length)),
    ) as Header;
    const start = DOUBLE * Math.ceil((LENGTH_BYTES + length) / DOUBLE);
    const made = objects.map((object) =>
      Object.fromEntries(
        Object.entries(object).map(([field, value]) => [
          field,
          typeof value === "number"
            ? value
            : new Float64Array(bytes.buffer, start + DOUBLE * value[0], value[1]).slice(),
        ]),
      ),
    );
    return new Map(names.map(([name, index]) => [name, made[index]]));
  } catch {
    return undefined;
  }
};
