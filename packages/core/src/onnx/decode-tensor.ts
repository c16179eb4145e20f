import type { SparseTensorProto, TensorProto } from "onnx-buf";
import { EspalierError } from "../errors.ts";
import type { SparseTensor } from "../model.ts";
import { byteLengthOf, type DataType, dataTypeOfCode, type Tensor } from "../tensor.ts";
import { lazyTensor, rangeReader } from "./lazy-tensor.ts";
import { markPristine, pristineMessage } from "./origin.ts";
import { DOUBLE_DATA, FLOAT_DATA, PAYLOAD_MARK, RAW_DATA } from "./schema.ts";
import type { ByteRange, ByteSource } from "./source.ts";
import type { Payload } from "./strip.ts";
import { inlineData } from "./typed-data.ts";
import { readVarint } from "./wire.ts";

/** Finds the file of external data by the `location` that the model gives. */
export type ExternalResolver = (location: string) => ByteSource;

export interface DecodeContext {
  readonly payloads: readonly Payload[];
  readonly external: ExternalResolver;
}

const EXTERNAL = 1;
const TYPES_OF_FIELD: Readonly<Record<number, readonly DataType[]>> = {
  [FLOAT_DATA]: ["float32", "complex64"],
  [DOUBLE_DATA]: ["float64", "complex128"],
};

const bad = (message: TensorProto, what: string) =>
  new EspalierError("BAD_TENSOR", "core/onnx", `tensor "${message.name}" ${what}. The model is damaged.`);

/** `dims` as numbers. @throws EspalierError `BAD_TENSOR` for negative ones and for sizes beyond 2^53 */
const dimsOf = (name: string, dims: readonly bigint[]): number[] => {
  const numbers = dims.map(Number);
  const size = numbers.reduce((product, dim) => product * Math.max(dim, 1), 1);
  if (numbers.some((dim) => dim < 0) || !Number.isSafeInteger(size)) {
    const found = dims.join(", ");
    throw new EspalierError("BAD_TENSOR", "core/onnx", `tensor "${name}" has dims [${found}]. The model is damaged.`);
  }
  return numbers;
};

/** Where the data of a tensor lies that was read from a file and does not lie in its message. */
interface Stored {
  readonly field: number;
  readonly ranges: readonly ByteRange[];
}
const stored = new WeakMap<object, Stored>();

/** The ranges of the file that hold a tensor, or undefined for one that is in memory. */
export const storedRanges = (t: Tensor): Stored | undefined => stored.get(t);

const marksOf = (message: TensorProto): number[] =>
  (message.$unknown ?? [])
    .filter(({ no }) => no === PAYLOAD_MARK)
    .map(({ data }) => readVarint({ bytes: data, base: 0, position: 0 }, data.length));

const nonNegative = (message: TensorProto, key: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw bad(message, `has external data with ${key} "${text}"`);
  return value;
};

const externalRange = (message: TensorProto, byteLength: number, context: DecodeContext): ByteRange => {
  const entries = new Map(message.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location");
  if (location === undefined) throw bad(message, "has external data without a location");
  const source = context.external(location);
  const offset = nonNegative(message, "offset", entries.get("offset")) ?? 0;
  const length = nonNegative(message, "length", entries.get("length")) ?? byteLength;
  if (length !== byteLength) throw bad(message, `has ${length} bytes of external data, expected ${byteLength}`);
  if (offset + length > source.size) {
    throw bad(message, `lies at ${offset} to ${offset + length} in "${location}", which has ${source.size} bytes`);
  }
  return { source, offset, length };
};

const payloadRanges = (message: TensorProto, marks: number[], type: DataType, context: DecodeContext): Stored => {
  const payloads = marks.map((mark) => context.payloads[mark]);
  const field = payloads[0]?.field;
  if (payloads.some((payload) => payload?.field !== field)) throw bad(message, "holds its data in two fields");
  if (field !== RAW_DATA && !TYPES_OF_FIELD[field]?.includes(type)) {
    throw bad(message, `of ${type} holds data in a field that is for another type`);
  }
  return { field, ranges: field === RAW_DATA ? payloads.slice(-1) : payloads };
};

/** A tensor of a message; data that the reader left in the file is read on demand. */
export const decodeTensor = (message: TensorProto, context: DecodeContext): Tensor => {
  const type = dataTypeOfCode(message.dataType);
  if (type === undefined) throw bad(message, `is of element type ${message.dataType}, which ONNX does not define`);
  const dims = dimsOf(message.name, message.dims);
  const where = `tensor "${message.name}"`;
  const marks = marksOf(message);
  if (message.dataLocation !== EXTERNAL && marks.length === 0) {
    const read = () => inlineData(type, dims, message);
    if (type === "string") read();
    return markPristine(lazyTensor(type, dims, { read: async () => read(), readSync: read }, where), message);
  }
  if (type === "string") throw bad(message, "of strings has raw data");
  const byteLength = byteLengthOf(type, dims);
  const place: Stored =
    message.dataLocation === EXTERNAL
      ? { field: RAW_DATA, ranges: [externalRange(message, byteLength, context)] }
      : payloadRanges(message, marks, type, context);
  const found = place.ranges.reduce((sum, range) => sum + range.length, 0);
  if (found !== byteLength) {
    throw bad(message, `of ${type} [${dims.join(", ")}] has ${found} bytes of data, expected ${byteLength}`);
  }
  const t = markPristine(lazyTensor(type, dims, rangeReader(type, place.ranges), where), message);
  stored.set(t, place);
  return t;
};

export const decodeSparse = (message: SparseTensorProto, context: DecodeContext): SparseTensor => {
  if (!message.values || !message.indices) {
    throw new EspalierError(
      "BAD_TENSOR",
      "core/onnx",
      "a sparse tensor has no values or indices. The model is damaged.",
    );
  }
  const name = message.values.name;
  const sparse: SparseTensor = {
    name,
    values: decodeTensor(message.values, context),
    indices: decodeTensor(message.indices, context),
    dims: dimsOf(name, message.dims),
    origin: message,
  };
  return markPristine(sparse, message);
};

/** True when the tensor was read from a file beside the model. */
export const isExternalTensor = (t: Tensor): boolean => pristineMessage<TensorProto>(t)?.dataLocation === EXTERNAL;
