import type { TensorProto } from "onnx-buf";
import { EspalierError } from "../errors.ts";
import { arrayLengthOf, type DataType, type DataTypeMap, dataTypes, type TensorData } from "../tensor.ts";
import { arrayOf } from "./lazy-tensor.ts";

const text = new TextDecoder();

/** The field of a TensorProto that holds an element type when raw_data is not used. Source: onnx.proto. */
const fieldOf = (type: DataType, message: TensorProto): readonly (number | bigint | Uint8Array)[] => {
  switch (type) {
    case "float32":
    case "complex64":
      return message.floatData;
    case "float64":
    case "complex128":
      return message.doubleData;
    case "int64":
      return message.int64Data;
    case "uint32":
    case "uint64":
      return message.uint64Data;
    case "string":
      return message.stringData;
    default:
      return message.int32Data;
  }
};

/**
 * The data of a tensor that lies in its message: raw_data or one of the typed fields.
 *
 * @throws EspalierError `BAD_TENSOR` when there are not as many values as dims say
 */
export const inlineData = <T extends DataType>(
  type: T,
  dims: readonly number[],
  message: TensorProto,
): DataTypeMap[T] => {
  const expected = arrayLengthOf(type, dims);
  const check = (found: number) => {
    if (found !== expected) {
      throw new EspalierError(
        "BAD_TENSOR",
        "core/onnx",
        `tensor "${message.name}" of ${type} [${dims.join(", ")}] holds ${found} values, expected ${expected}. The model is damaged.`,
      );
    }
  };
  if (type === "string") {
    check(message.stringData.length);
    return message.stringData.map((bytes) => text.decode(bytes)) as DataTypeMap[T];
  }
  if (message.rawData.length > 0 || expected === 0) {
    const width = dataTypes[type].array as unknown as { BYTES_PER_ELEMENT: number };
    check(message.rawData.length / width.BYTES_PER_ELEMENT);
    return arrayOf(type, message.rawData);
  }
  const values = fieldOf(type, message);
  check(values.length);
  const array = new (dataTypes[type].array as unknown as new (length: number) => Exclude<TensorData, string[]>)(
    expected,
  );
  if (type === "uint32") for (let i = 0; i < expected; i++) array[i] = Number(values[i]);
  else for (let i = 0; i < expected; i++) array[i] = values[i] as never;
  return array as DataTypeMap[T];
};
