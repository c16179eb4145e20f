import { EspalierError } from "../errors.ts";
import {
  byteLengthOf,
  type DataType,
  type DataTypeMap,
  dataTypes,
  type LazyTensor,
  type TensorData,
} from "../tensor.ts";
import type { ByteRange } from "./source.ts";

/** A typed view of little-endian bytes; copies only where the alignment asks for it. */
export const arrayOf = <T extends DataType>(type: T, bytes: Uint8Array): DataTypeMap[T] => {
  const array = dataTypes[type].array!;
  const width = (array as unknown as { BYTES_PER_ELEMENT: number }).BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  return new array(
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    aligned.byteLength / width,
  ) as TensorData as DataTypeMap[T];
};

/** The bytes of typed data, without a copy. */
export const bytesOf = (data: Exclude<TensorData, string[]>): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

interface Reader<T extends DataType> {
  read(): Promise<DataTypeMap[T]>;
  readSync?(): DataTypeMap[T];
  copyTo?(bytes: Uint8Array, offset: number): void;
}

/** A tensor whose data comes from `reader` when asked for. `data` keeps it until `drop()`, `getData()` does not. */
export const lazyTensor = <T extends DataType>(
  type: T,
  dims: readonly number[],
  reader: Reader<T>,
  where: string,
): LazyTensor<T> => {
  let kept: DataTypeMap[T] | undefined;
  return {
    type,
    dims,
    byteLength: byteLengthOf(type, dims),
    get data() {
      if (kept === undefined) {
        if (!reader.readSync) {
          throw new EspalierError(
            "NOT_LOADED",
            "core/tensor",
            `the data of ${where} cannot be read without waiting. Use \`await readData(tensor)\`.`,
          );
        }
        kept = reader.readSync();
      }
      return kept;
    },
    getData: async () => kept ?? reader.read(),
    ...(reader.copyTo && { copyTo: reader.copyTo }),
    drop() {
      kept = undefined;
    },
  };
};

/** A reader of ranges that hold the tensor's bytes one after the other. */
export const rangeReader = <T extends DataType>(type: T, ranges: readonly ByteRange[]): Reader<T> => {
  const join = (pieces: readonly Uint8Array[]) => {
    if (pieces.length === 1) return arrayOf(type, pieces[0]);
    const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return arrayOf(type, bytes);
  };
  const only = ranges.length === 1 ? ranges[0] : undefined;
  const copyTo = (bytes: Uint8Array, from: number) => {
    const { source, offset, length } = only!;
    if (from < 0 || from + bytes.length > length)
      throw new RangeError(`bytes ${from} to ${from + bytes.length} of ${length}`);
    source.copySync!(offset + from, bytes);
  };
  const synchronous = ranges.every(({ source }) => source.readSync);
  return {
    read: async () => join(await Promise.all(ranges.map((r) => r.source.read(r.offset, r.length)))),
    ...(synchronous && { readSync: () => join(ranges.map((r) => r.source.readSync!(r.offset, r.length))) }),
    ...(only?.source.copySync && { copyTo }),
  };
};
