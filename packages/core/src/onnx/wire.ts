import { EspalierError } from "../errors.ts";

/** Protobuf wire types. Source: protobuf.dev, encoding. */
export const wire = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

/** Longest tag (5 bytes) and longest length (10 bytes) together. */
export const MAX_HEADER = 15;

const FIXED32_BYTES = 4;
const FIXED64_BYTES = 8;
const VARINT_PAYLOAD = 0x80;
const MAX_VARINT_BYTES = 10;

export const damaged = (what: string, offset: number): EspalierError =>
  new EspalierError(
    "BAD_MODEL",
    "core/onnx",
    `not an ONNX model, or a damaged one: ${what} at byte ${offset}. Check that the file is complete.`,
  );

/** A place in a buffer; `base` is the file offset of `bytes[0]`, for messages. */
export interface Cursor {
  readonly bytes: Uint8Array;
  readonly base: number;
  position: number;
}

/** Reads an unsigned varint; values above 2^53 lose bits, which lengths and tags never have. */
export const readVarint = (cursor: Cursor, end: number): number => {
  let value = 0;
  let factor = 1;
  for (let count = 0; count < MAX_VARINT_BYTES; count++) {
    if (cursor.position >= end) throw damaged("a number that runs past its message", cursor.base + cursor.position);
    const byte = cursor.bytes[cursor.position++];
    value += (byte % VARINT_PAYLOAD) * factor;
    if (byte < VARINT_PAYLOAD) return value;
    factor *= VARINT_PAYLOAD;
  }
  throw damaged("an endless number", cursor.base + cursor.position);
};

export interface Field {
  readonly number: number;
  readonly wireType: number;
  /** Length of the content after the header. */
  readonly length: number;
}

/** Reads a field's tag and, where it has one, its length; leaves the cursor at the content. */
export const readHeader = (cursor: Cursor, end: number): Field => {
  const at = cursor.base + cursor.position;
  const tag = readVarint(cursor, end);
  const number = Math.floor(tag / FIXED64_BYTES);
  const wireType = tag % FIXED64_BYTES;
  if (number < 1) throw damaged("a field with number 0", at);
  switch (wireType) {
    case wire.varint: {
      const start = cursor.position;
      readVarint(cursor, end);
      const length = cursor.position - start;
      cursor.position = start;
      return { number, wireType, length };
    }
    case wire.fixed64:
      return { number, wireType, length: FIXED64_BYTES };
    case wire.fixed32:
      return { number, wireType, length: FIXED32_BYTES };
    case wire.bytes:
      return { number, wireType, length: readVarint(cursor, end) };
    default:
      throw damaged(`a field of wire type ${wireType}, which ONNX does not use,`, at);
  }
};

/** The bytes of an unsigned varint. */
export const varintBytes = (value: number): number[] => {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= VARINT_PAYLOAD) {
    bytes.push((rest % VARINT_PAYLOAD) + VARINT_PAYLOAD);
    rest = Math.floor(rest / VARINT_PAYLOAD);
  }
  bytes.push(rest);
  return bytes;
};

/** The header of a length-delimited field. */
export const bytesHeader = (number: number, length: number): Uint8Array =>
  Uint8Array.from([...varintBytes(number * FIXED64_BYTES + wire.bytes), ...varintBytes(length)]);
