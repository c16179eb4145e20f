import { EspalierError } from "../errors.ts";
import { sizeOf, type Tensor } from "../tensor.ts";

const describe = ({ type, dims }: Tensor) => `${type} [${dims}]`;

const floats = (where: string, name: string, tensor: Tensor): Float32Array => {
  if (tensor.type === "float32") return tensor.data as Float32Array;
  throw new EspalierError("BAD_DATA", `hw-kernels/${where}`, `${name} is ${describe(tensor)}. Give a float32 tensor.`);
};

export const mismatch = (where: string, a: Tensor, b: Tensor, what: string): EspalierError =>
  new EspalierError(
    "BAD_DATA",
    `hw-kernels/${where}`,
    `${describe(a)} and ${describe(b)} do not fit: ${what}. Check which operand is transposed.`,
  );

/** The data of float32 matrices, all of one size, that lie one after the other; throws for what has no two dimensions. */
export const matricesOf = (where: string, name: string, tensor: Tensor) => {
  const [rows, columns] = tensor.dims.slice(-2);
  if (rows === undefined || columns === undefined)
    throw new EspalierError("BAD_DATA", `hw-kernels/${where}`, `${name} is ${describe(tensor)}. Give a matrix.`);
  return { data: floats(where, name, tensor), rows, columns, batch: sizeOf(tensor.dims.slice(0, -2)) };
};

/** The data and sizes of one float32 matrix; throws for anything else. */
export const matrixOf = (where: string, name: string, tensor: Tensor) => {
  if (tensor.dims.length === 2) return matricesOf(where, name, tensor);
  throw new EspalierError("BAD_DATA", `hw-kernels/${where}`, `${name} is ${describe(tensor)}. Give a matrix.`);
};

/** The data of a float32 tensor with `length` elements; throws for anything else. */
export const vectorOf = (where: string, name: string, tensor: Tensor, length: number): Float32Array => {
  if (sizeOf(tensor.dims) === length) return floats(where, name, tensor);
  throw new EspalierError(
    "BAD_DATA",
    `hw-kernels/${where}`,
    `${name} is ${describe(tensor)}, and ${length} elements fit. Check which operand is transposed.`,
  );
};

/** `out` if it has the size, or a new tensor. */
export const floatOutput = (where: string, dims: readonly number[], out?: Tensor<"float32">): Tensor<"float32"> => {
  if (!out) return { type: "float32", dims, data: new Float32Array(sizeOf(dims)) };
  vectorOf(where, "out", out, sizeOf(dims));
  return out;
};

/** The same in float64. */
export const doubleOutput = (where: string, dims: readonly number[], out?: Tensor<"float64">): Tensor<"float64"> => {
  if (!out) return { type: "float64", dims, data: new Float64Array(sizeOf(dims)) };
  if (out.type === "float64" && sizeOf(out.dims) === sizeOf(dims)) return out;
  throw new EspalierError("BAD_DATA", `hw-kernels/${where}`, `out is ${describe(out)}. Give a float64 [${dims}].`);
};

/** The data of a float32 tensor as rows of its last dimension. */
export const rowsOf = (where: string, x: Tensor) => {
  const columns = x.dims.at(-1) ?? 1;
  const count = sizeOf(x.dims);
  return { data: vectorOf(where, "x", x, count), rows: columns ? count / columns : 0, columns };
};
