import { EspalierError } from "../errors.ts";
import { sizeOf, type Tensor } from "../tensor.ts";

const describe = ({ type, dims }: Tensor) => `${type} [${dims}]`;

const floats = (where: string, name: string, tensor: Tensor): Float32Array => {
  if (tensor.type === "float32") return tensor.data as Float32Array;
  throw new EspalierError("BAD_DATA", `hw-kernels/${where}`, `${name} is ${describe(tensor)}. Give a float32 tensor.`);
};

/** A float32 matrix's data and sizes; throws for anything else. */
export const matrixOf = (where: string, name: string, tensor: Tensor) => {
  const [rows, columns] = tensor.dims;
  if (rows !== undefined && columns !== undefined && tensor.dims.length === 2)
    return { data: floats(where, name, tensor), rows, columns };
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
