import { create } from "@bufbuild/protobuf";
import {
  type SparseTensorProto,
  SparseTensorProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from "onnx-buf";
import type { SparseTensor } from "../model.ts";
import { byteLengthOf, dataTypes, isLazy, type Tensor, type TensorData } from "../tensor.ts";
import { isExternalTensor, storedRanges } from "./decode-tensor.ts";
import { bytesOf } from "./lazy-tensor.ts";
import { pristineMessage, put, startFrom } from "./origin.ts";
import { INLINE_BYTES, PAYLOAD_MARK, RAW_DATA } from "./schema.ts";
import type { Part } from "./source.ts";
import type { OutgoingPayload } from "./splice.ts";
import { varintBytes, wire } from "./wire.ts";

/** A file beside the model, and where in it a tensor goes. */
interface Place {
  readonly location: string;
  readonly offset: number;
}

export interface EncodeContext {
  readonly payloads: OutgoingPayload[];
  /** Puts the data of an initializer into an external file, or answers undefined to keep it in the model. */
  readonly place?: (byteLength: number, parts: readonly Part[]) => Place | undefined;
}

const EXTERNAL = 1;
const utf8 = new TextEncoder();

/** Data of a lazy tensor that some pass made: read when it is written. */
const madePart = (t: Tensor): Part => {
  const length = byteLengthOf(t.type, t.dims);
  if (!isLazy(t)) return bytesOf(t.data as Exclude<TensorData, string[]>);
  const read = async (offset: number, count: number) => {
    const bytes = bytesOf((await t.getData()) as Exclude<TensorData, string[]>);
    return bytes.subarray(offset, offset + count);
  };
  return { source: { name: "computed tensor", size: length, read }, offset: 0, length };
};

/** The bytes of a tensor as parts to copy, and the field of the message that they fill. */
const dataParts = (t: Tensor): OutgoingPayload => {
  const place = storedRanges(t);
  return place ? { field: place.field, parts: place.ranges } : { field: RAW_DATA, parts: [madePart(t)] };
};

const withoutMarks = (message: TensorProto) => {
  const rest = message.$unknown?.filter(({ no }) => no !== PAYLOAD_MARK);
  if (rest?.length) message.$unknown = rest;
  else delete message.$unknown;
};

const addMark = (message: TensorProto, payload: OutgoingPayload, context: EncodeContext) => {
  const index = context.payloads.push(payload) - 1;
  const mark = { no: PAYLOAD_MARK, wireType: wire.varint, data: Uint8Array.from(varintBytes(index)) };
  message.$unknown = [...(message.$unknown ?? []), mark];
};

const entry = (key: string, value: string | number) =>
  create(StringStringEntryProtoSchema, { key, value: String(value) });

/** A message for a tensor that was not read from a file; its data is added by the caller. */
const newMessage = (t: Tensor): TensorProto =>
  create(TensorProtoSchema, { dims: t.dims.map(BigInt), dataType: dataTypes[t.type].code });

/**
 * The message of a tensor. Large data goes to `context.payloads`, or to the external file that `place` names.
 *
 * @param name set for initializers; tensors in attributes keep theirs
 */
export const encodeTensor = (t: Tensor, name: string | undefined, context: EncodeContext): TensorProto => {
  const origin = pristineMessage<TensorProto>(t);
  const message = origin ? startFrom(TensorProtoSchema, origin) : newMessage(t);
  if (name !== undefined) put(message, "name", name);
  if (t.type === "string") {
    if (!origin) message.stringData = (t.data as string[]).map((s) => utf8.encode(s));
    return message;
  }
  const external = isExternalTensor(t);
  const inline = origin !== undefined && !external && storedRanges(t) === undefined;
  const byteLength = byteLengthOf(t.type, t.dims);
  const payload = dataParts(t);
  const place = inline || name === undefined ? undefined : context.place?.(byteLength, payload.parts);
  if (inline) return message;
  withoutMarks(message);
  if (external && !place) {
    message.externalData = [];
    // proto2 presence: an absent field is an own property that is missing
    delete (message as Partial<TensorProto>).dataLocation;
  }
  if (place) {
    message.dataLocation = EXTERNAL;
    message.externalData = [
      entry("location", place.location),
      entry("offset", place.offset),
      entry("length", byteLength),
    ];
  } else if (!origin && byteLength < INLINE_BYTES && payload.parts[0] instanceof Uint8Array) {
    message.rawData = payload.parts[0] as Uint8Array<ArrayBuffer>;
  } else {
    addMark(message, payload, context);
  }
  return message;
};

export const encodeSparse = (sparse: SparseTensor, context: EncodeContext): SparseTensorProto => {
  const message = startFrom(SparseTensorProtoSchema, sparse.origin);
  // stock runtimes read sparse weights from the model itself
  const inside = { payloads: context.payloads };
  message.values = encodeTensor(sparse.values, sparse.name, inside);
  message.indices = encodeTensor(sparse.indices, undefined, inside);
  message.dims = sparse.dims.map(BigInt);
  return message;
};
