import { EspalierError } from "../errors.ts";
import { children, INLINE_BYTES, MAX_DEPTH, type MessageKind, PAYLOAD_MARK, payloadFields } from "./schema.ts";
import type { ByteRange, ByteSource } from "./source.ts";
import { bytesHeader, type Cursor, damaged, MAX_HEADER, readHeader, varintBytes, wire } from "./wire.ts";

/** Tensor data that was left in the source. */
export interface Payload extends ByteRange {
  /** Field of the TensorProto that holds it: raw_data, float_data or double_data. */
  readonly field: number;
}

/** A model's protobuf bytes without large tensor data, each replaced by a mark, and where the data is. */
export interface Skeleton {
  readonly bytes: Uint8Array;
  readonly payloads: readonly Payload[];
}

/** Messages up to this length are read whole; longer ones field by field. */
const WINDOW_BYTES = 1 << 16;
/** What is read behind data that was left out; each read that goes on from there is twice as long. */
const FIRST_WINDOW_BYTES = 1 << 12;
/** The skeleton is one array in memory. */
const MAX_SKELETON_BYTES = 2 ** 30;

interface State {
  readonly source: ByteSource;
  readonly payloads: Payload[];
}

interface StreamingState extends State {
  /** What was read last. */
  window: Cursor;
  ahead: number;
}

interface Pieces {
  readonly parts: Uint8Array[];
  length: number;
}

const add = (pieces: Pieces, part: Uint8Array) => {
  if (part.length === 0) return;
  pieces.parts.push(part);
  pieces.length += part.length;
  if (pieces.length > MAX_SKELETON_BYTES) {
    throw new EspalierError(
      "TOO_LARGE",
      "core/onnx",
      "the model holds over 1 GiB of graph besides its tensors. Check that the file is an ONNX model.",
    );
  }
};

const addMessage = (pieces: Pieces, field: number, message: Pieces) => {
  add(pieces, bytesHeader(field, message.length));
  for (const part of message.parts) add(pieces, part);
};

const VARINT_TAG_FACTOR = 8;

const takePayload = (state: State, pieces: Pieces, field: number, offset: number, length: number) => {
  const index = state.payloads.push({ source: state.source, offset, length, field }) - 1;
  add(pieces, Uint8Array.from([...varintBytes(PAYLOAD_MARK * VARINT_TAG_FACTOR), ...varintBytes(index)]));
};

const isPayload = (kind: MessageKind, field: { number: number; wireType: number; length: number }) =>
  kind === "tensor" && field.wireType === wire.bytes && field.length >= INLINE_BYTES && payloadFields.has(field.number);

const checkDepth = (depth: number, offset: number) => {
  if (depth > MAX_DEPTH) throw damaged(`messages nested over ${MAX_DEPTH} deep`, offset);
};

/** Strips a message that lies in memory, `bytes[cursor.position .. end]`. */
const stripInMemory = (state: State, cursor: Cursor, end: number, kind: MessageKind, depth: number): Pieces => {
  checkDepth(depth, cursor.base + cursor.position);
  const pieces: Pieces = { parts: [], length: 0 };
  let copied = cursor.position;
  while (cursor.position < end) {
    const start = cursor.position;
    const field = readHeader(cursor, end);
    const content = cursor.position;
    const next = content + field.length;
    if (next > end) throw damaged("a field that runs past its message", cursor.base + start);
    const child = field.wireType === wire.bytes ? children[kind][field.number] : undefined;
    if (isPayload(kind, field)) {
      add(pieces, cursor.bytes.subarray(copied, start));
      takePayload(state, pieces, field.number, cursor.base + content, field.length);
      copied = next;
    } else if (child !== undefined && field.length > INLINE_BYTES) {
      const before = state.payloads.length;
      const inner = stripInMemory(state, cursor, next, child, depth + 1);
      if (state.payloads.length > before) {
        add(pieces, cursor.bytes.subarray(copied, start));
        addMessage(pieces, field.number, inner);
        copied = next;
      }
    }
    cursor.position = next;
  }
  add(pieces, cursor.bytes.subarray(copied, end));
  return pieces;
};

interface Request {
  readonly offset: number;
  readonly length: number;
}

const join = ({ parts, length }: Pieces): Uint8Array => {
  if (parts.length === 1) return parts[0];
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};

/** The window with at least `need` bytes from `position` on, as the source has them; no byte is read twice. */
function* windowAt(state: StreamingState, position: number, need: number): Generator<Request, Cursor, Uint8Array> {
  const { base, bytes } = state.window;
  const end = base + bytes.length;
  if (position + need > end) {
    state.ahead = position > end ? FIRST_WINDOW_BYTES : Math.min(2 * state.ahead, WINDOW_BYTES);
    const offset = Math.max(position, end);
    const length = Math.min(Math.max(position + need - offset, state.ahead), state.source.size - offset);
    const more = yield { offset, length };
    const rest = position < end ? [bytes.subarray(position - base)] : [];
    const joined = join({ parts: [...rest, more], length: offset + length - position });
    state.window = { bytes: joined, base: position, position: 0 };
  }
  state.window.position = position - state.window.base;
  return state.window;
}

/** Strips a message of a source by asking for one window after the other. */
function* stripStreaming(
  state: StreamingState,
  start: number,
  end: number,
  kind: MessageKind,
  depth: number,
): Generator<Request, Pieces, Uint8Array> {
  checkDepth(depth, start);
  const pieces: Pieces = { parts: [], length: 0 };
  let position = start;
  while (position < end) {
    const window = yield* windowAt(state, position, Math.min(MAX_HEADER, end - position));
    const from = window.position;
    const field = readHeader(window, Math.min(window.bytes.length, from + end - position));
    const header = window.bytes.slice(from, window.position);
    const content = position + header.length;
    const next = content + field.length;
    if (next > end) throw damaged("a field that runs past its message", position);
    const child = field.wireType === wire.bytes ? children[kind][field.number] : undefined;
    if (isPayload(kind, field)) {
      takePayload(state, pieces, field.number, content, field.length);
    } else if (child !== undefined && field.length > WINDOW_BYTES) {
      addMessage(pieces, field.number, yield* stripStreaming(state, content, next, child, depth + 1));
    } else {
      if (field.length > MAX_SKELETON_BYTES) throw damaged("a text over 1 GiB", position);
      const inner = yield* windowAt(state, content, field.length);
      const stop = inner.position + field.length;
      if (child === undefined) {
        add(pieces, header);
        add(pieces, inner.bytes.slice(inner.position, stop));
      } else {
        const message = stripInMemory(state, inner, stop, child, depth + 1);
        add(pieces, bytesHeader(field.number, message.length));
        for (const part of message.parts) add(pieces, part.slice());
      }
    }
    position = next;
  }
  return pieces;
}

/** The skeleton of a message in memory. @throws EspalierError `BAD_MODEL` for damaged bytes */
export const stripBytes = (source: ByteSource, bytes: Uint8Array, kind: MessageKind): Skeleton => {
  const state: State = { source, payloads: [] };
  const pieces = stripInMemory(state, { bytes, base: 0, position: 0 }, bytes.length, kind, 0);
  return { bytes: join(pieces), payloads: state.payloads };
};

/** The skeleton of a message in a source of any size, read in windows. @throws EspalierError `BAD_MODEL` */
export const stripSource = async (source: ByteSource, kind: MessageKind): Promise<Skeleton> => {
  const state: StreamingState = {
    source,
    payloads: [],
    window: { bytes: new Uint8Array(), base: 0, position: 0 },
    ahead: FIRST_WINDOW_BYTES,
  };
  const steps = stripStreaming(state, 0, source.size, kind, 0);
  let step = steps.next();
  while (!step.done) {
    const { offset, length } = step.value;
    step = steps.next(source.readSync ? source.readSync(offset, length) : await source.read(offset, length));
  }
  return { bytes: join(step.value), payloads: state.payloads };
};
