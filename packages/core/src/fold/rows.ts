import { lazyTensor } from "../onnx/lazy-tensor.ts";
import {
  arrayLengthOf,
  type DataType,
  type DataTypeMap,
  dataTypes,
  readData,
  type Tensor,
  type TensorData,
} from "../tensor.ts";

const BYTE = 8;

type Rows = Exclude<TensorData, string[]>;

/** Rows of one array lie one after the other, a whole number of elements each. */
const hasRows = ({ type, dims }: Tensor) => dims.length > 0 && type !== "string" && dataTypes[type].bits >= BYTE;

/** A tensor whose data is made from that of others when it is asked for. */
const made = (
  type: DataType,
  dims: readonly number[],
  parts: readonly Tensor[],
  join: (data: Rows[]) => Rows,
): Tensor => {
  const reader = {
    read: async () => join((await Promise.all(parts.map((part) => readData(part)))) as Rows[]) as DataTypeMap[DataType],
    readSync: () => join(parts.map((part) => part.data as Rows)) as DataTypeMap[DataType],
  };
  return lazyTensor(type, dims, reader, "a moved weight");
};

/** Rows start to end of the first axis, not read yet; undefined where a type has no rows of its own. */
export const sliceRows = (x: Tensor, start: number, end: number): Tensor | undefined => {
  if (!hasRows(x)) return undefined;
  const [rows, ...rest] = x.dims;
  const at = (index: number) => Math.min(rows, Math.max(0, index < 0 ? index + rows : index));
  const [from, to] = [at(start), Math.max(at(start), at(end))];
  const width = arrayLengthOf(x.type, rest);
  return made(x.type, [to - from, ...rest], [x], ([data]) => data.slice(from * width, to * width));
};

/** Tensors one after the other along the first axis, not read yet; undefined where they do not fit together. */
export const concatRows = (parts: readonly Tensor[]): Tensor | undefined => {
  const [first] = parts;
  const [, ...rest] = first.dims;
  const fits = (part: Tensor) => hasRows(part) && part.type === first.type && part.dims.slice(1).join() === rest.join();
  if (!parts.every((part) => fits(part) && part.dims.length === first.dims.length)) return undefined;
  const dims = [parts.reduce((sum, part) => sum + part.dims[0], 0), ...rest];
  const array = dataTypes[first.type].array!;
  return made(first.type, dims, parts, (pieces) => {
    const length = arrayLengthOf(first.type, dims);
    const whole = new array(new ArrayBuffer(length * pieces[0].BYTES_PER_ELEMENT), 0, length) as Float32Array;
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece as Float32Array, at);
      at += piece.length;
    }
    return whole;
  });
};
