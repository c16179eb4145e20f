import { children, type MessageKind, PAYLOAD_MARK } from "./schema.ts";
import { type Part, partLength } from "./source.ts";
import { bytesHeader, type Cursor, readHeader, readVarint, wire } from "./wire.ts";

/** Tensor data that is written in the place of a mark. */
export interface OutgoingPayload {
  readonly field: number;
  readonly parts: readonly Part[];
}

interface Pieces {
  readonly parts: Part[];
  length: number;
}

const add = (pieces: Pieces, part: Part) => {
  const length = partLength(part);
  if (length === 0) return;
  pieces.parts.push(part);
  pieces.length += length;
};

const addPayload = (pieces: Pieces, { field, parts }: OutgoingPayload) => {
  add(
    pieces,
    bytesHeader(
      field,
      parts.reduce((sum, part) => sum + partLength(part), 0),
    ),
  );
  for (const part of parts) add(pieces, part);
};

/** A tensor without its marks: [start, end) of the fields to keep, and the payloads that the marks name. */
const scanTensor = (cursor: Cursor, end: number) => {
  const start = cursor.position;
  let firstMark = end;
  const marks: number[] = [];
  const fields: { number: number; start: number }[] = [];
  while (cursor.position < end) {
    const at = cursor.position;
    const field = readHeader(cursor, end);
    if (field.number === PAYLOAD_MARK) {
      firstMark = Math.min(firstMark, at);
      marks.push(readVarint(cursor, end));
    } else {
      fields.push({ number: field.number, start: at });
      cursor.position += field.length;
    }
  }
  return { start, firstMark, marks, fields };
};

/** Protobuf's writer puts marks (unknown fields) last; the data goes where its field number belongs. */
const spliceTensor = (cursor: Cursor, end: number, payloads: readonly OutgoingPayload[], pieces: Pieces) => {
  const { start, firstMark, marks, fields } = scanTensor(cursor, end);
  let copied = start;
  for (const mark of marks) {
    const payload = payloads[mark];
    const after = fields.find((field) => field.number > payload.field && field.start < firstMark);
    const at = Math.max(copied, after ? after.start : firstMark);
    add(pieces, cursor.bytes.subarray(copied, at));
    addPayload(pieces, payload);
    copied = at;
  }
  add(pieces, cursor.bytes.subarray(copied, firstMark));
};

const spliceMessage = (
  cursor: Cursor,
  end: number,
  kind: MessageKind,
  payloads: readonly OutgoingPayload[],
): Pieces => {
  const pieces: Pieces = { parts: [], length: 0 };
  if (kind === "tensor") {
    spliceTensor(cursor, end, payloads, pieces);
    return pieces;
  }
  let copied = cursor.position;
  while (cursor.position < end) {
    const start = cursor.position;
    const field = readHeader(cursor, end);
    const next = cursor.position + field.length;
    const child = field.wireType === wire.bytes ? children[kind][field.number] : undefined;
    if (child !== undefined) {
      const inner = spliceMessage(cursor, next, child, payloads);
      if (inner.length !== field.length) {
        add(pieces, cursor.bytes.subarray(copied, start));
        add(pieces, bytesHeader(field.number, inner.length));
        for (const part of inner.parts) add(pieces, part);
        copied = next;
      }
    }
    cursor.position = next;
  }
  add(pieces, cursor.bytes.subarray(copied, end));
  return pieces;
};

/** The parts of the file for a skeleton whose marks are replaced by data: the inverse of `strip`. */
export const splice = (
  skeleton: Uint8Array,
  payloads: readonly OutgoingPayload[],
  kind: MessageKind,
): readonly Part[] =>
  payloads.length === 0
    ? [skeleton]
    : spliceMessage({ bytes: skeleton, base: 0, position: 0 }, skeleton.length, kind, payloads).parts;
