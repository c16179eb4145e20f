import { EspalierError } from "./errors.ts";

/**
 * Element types of ONNX and the array that holds each.
 *
 * Sub-byte types (`int4`, `uint4`, `float4e2m1`, `int2`, `uint2`) are packed, first element in the low bits,
 * as `raw_data` has them. `float16` and `bfloat16` hold their bit patterns. `complex64` and `complex128` hold
 * (real, imaginary) pairs.
 */
export interface DataTypeMap {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  uint16: Uint16Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  bool: Uint8Array;
  string: string[];
  complex64: Float32Array;
  complex128: Float64Array;
  float8e4m3fn: Uint8Array;
  float8e4m3fnuz: Uint8Array;
  float8e5m2: Uint8Array;
  float8e5m2fnuz: Uint8Array;
  float8e8m0: Uint8Array;
  float4e2m1: Uint8Array;
  int4: Uint8Array;
  uint4: Uint8Array;
  int2: Uint8Array;
  uint2: Uint8Array;
}

export type DataType = keyof DataTypeMap;
export type TensorData = DataTypeMap[DataType];

/** A dense array in row-major order; structurally a tensor of `onnxruntime-common`. */
export interface Tensor<T extends DataType = DataType> {
  readonly type: T;
  readonly dims: readonly number[];
  /** May be read from its file on first use, and is then kept until `drop()`. See `LazyTensor`. */
  readonly data: DataTypeMap[T];
}

/** A tensor whose data lies in a file, a Blob or a buffer, and is read when asked for. */
export interface LazyTensor<T extends DataType = DataType> extends Tensor<T> {
  readonly byteLength: number;
  /** Reads the data and does not keep it. Works for every source; `data` cannot await a Blob or a URL. */
  getData(): Promise<DataTypeMap[T]>;
  /**
   * Fills bytes with the stored ones from `offset` on, little-endian, and keeps nothing. Only where the data lies in one
   * piece that can be read without waiting.
   */
  copyTo?(bytes: Uint8Array, offset: number): void;
  /** Forgets data that `data` has kept. */
  drop(): void;
}

interface TypeInfo {
  /** ONNX `TensorProto.DataType`. */
  readonly code: number;
  /** Bits an element takes in `raw_data`; 0 for strings. */
  readonly bits: number;
  readonly array: { new (buffer: ArrayBuffer, byteOffset?: number, length?: number): TensorData } | undefined;
}

const type = (code: number, bits: number, array?: unknown): TypeInfo => ({
  code,
  bits,
  array: array as TypeInfo["array"],
});

/** Every ONNX element type: its code in the file, its width and its array. Source: onnx.proto, IR version 13. */
export const dataTypes: Readonly<Record<DataType, TypeInfo>> = {
  float32: type(1, 32, Float32Array),
  uint8: type(2, 8, Uint8Array),
  int8: type(3, 8, Int8Array),
  uint16: type(4, 16, Uint16Array),
  int16: type(5, 16, Int16Array),
  int32: type(6, 32, Int32Array),
  int64: type(7, 64, BigInt64Array),
  string: type(8, 0),
  bool: type(9, 8, Uint8Array),
  float16: type(10, 16, Uint16Array),
  float64: type(11, 64, Float64Array),
  uint32: type(12, 32, Uint32Array),
  uint64: type(13, 64, BigUint64Array),
  complex64: type(14, 64, Float32Array),
  complex128: type(15, 128, Float64Array),
  bfloat16: type(16, 16, Uint16Array),
  float8e4m3fn: type(17, 8, Uint8Array),
  float8e4m3fnuz: type(18, 8, Uint8Array),
  float8e5m2: type(19, 8, Uint8Array),
  float8e5m2fnuz: type(20, 8, Uint8Array),
  uint4: type(21, 4, Uint8Array),
  int4: type(22, 4, Uint8Array),
  float4e2m1: type(23, 4, Uint8Array),
  float8e8m0: type(24, 8, Uint8Array),
  uint2: type(25, 2, Uint8Array),
  int2: type(26, 2, Uint8Array),
};

const typesByCode = new Map((Object.keys(dataTypes) as DataType[]).map((name) => [dataTypes[name].code, name]));

/** The element type with an ONNX `TensorProto.DataType` code, or undefined. */
export const dataTypeOfCode = (code: number): DataType | undefined => typesByCode.get(code);

/** Number of elements: the product of `dims`; 1 for a scalar. */
export const sizeOf = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1);

/** Stored bytes of `dims` elements of `type` (sub-byte types rounded up to a byte); 0 for strings. */
export const byteLengthOf = (type: DataType, dims: readonly number[]): number =>
  Math.ceil((sizeOf(dims) * dataTypes[type].bits) / 8);

/** Length of the array that holds `dims` elements of `type`. */
export const arrayLengthOf = (type: DataType, dims: readonly number[]): number => {
  const { bits } = dataTypes[type];
  const size = sizeOf(dims);
  if (type === "string") return size;
  if (type === "complex64" || type === "complex128") return 2 * size;
  return bits < 8 ? Math.ceil((size * bits) / 8) : size;
};

/** A tensor in memory. @throws EspalierError `BAD_TENSOR` when `data` has not the length that `dims` says. */
export const tensor = <T extends DataType>(type: T, dims: readonly number[], data: DataTypeMap[T]): Tensor<T> => {
  const expected = arrayLengthOf(type, dims);
  if (data.length !== expected) {
    throw new EspalierError(
      "BAD_TENSOR",
      "core/tensor",
      `${type} tensor of dims [${dims.join(", ")}] needs an array of ${expected}, got ${data.length}. Check dims, or pack sub-byte types.`,
    );
  }
  return { type, dims, data };
};

/** True when the tensor is read on demand. */
export const isLazy = <T extends DataType>(t: Tensor<T>): t is LazyTensor<T> => "getData" in t && "drop" in t;

/** The data of a tensor, read if need be and not kept by the tensor. */
export const readData = async <T extends DataType>(t: Tensor<T>): Promise<DataTypeMap[T]> =>
  isLazy(t) ? t.getData() : t.data;

/** Bytes the tensor's data takes when stored (strings: their UTF-8 bytes). */
export const storedBytes = (t: Tensor): number =>
  t.type === "string"
    ? (t.data as string[]).reduce((sum, s) => sum + new TextEncoder().encode(s).length, 0)
    : byteLengthOf(t.type, t.dims);
