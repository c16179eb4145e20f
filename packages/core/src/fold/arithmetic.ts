import { type DataType, sizeOf, type Tensor, tensor } from "../tensor.ts";

type Operation = "Add" | "Sub" | "Mul" | "Div";

const FLOAT: Readonly<Record<Operation, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
};
const INTEGER: Readonly<Record<Operation, (a: bigint, b: bigint) => bigint>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
};

/** The dims of two arrays broadcast together, or undefined. */
const broadcastDims = (a: readonly number[], b: readonly number[]): number[] | undefined => {
  const rank = Math.max(a.length, b.length);
  const dims: number[] = [];
  for (let i = 0; i < rank; i++) {
    const m = a[i - rank + a.length] ?? 1;
    const n = b[i - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) return undefined;
    dims.push(m === 1 ? n : m);
  }
  return dims;
};

/** For each place of `dims`, the place in an array of `own` dims that broadcasts to it. */
const places = (own: readonly number[], dims: readonly number[]): number[] => {
  const offset = dims.length - own.length;
  return Array.from({ length: sizeOf(dims) }, (_, flat) => {
    let rest = flat;
    let place = 0;
    let stride = 1;
    for (let i = dims.length - 1; i >= 0; i--) {
      const at = rest % dims[i];
      rest = (rest - at) / dims[i];
      const length = i >= offset ? own[i - offset] : 1;
      if (length !== 1) place += at * stride;
      stride *= length;
    }
    return place;
  });
};

const INTEGER_BITS: Partial<Record<DataType, number>> = { int32: 32, int64: 64 };

/**
 * Add, Sub, Mul or Div of two constants with broadcasting: integers wrap and divide towards zero, floats are
 * rounded to their type. Undefined for other element types, for an integer division by zero and for results of more
 * than `largest` elements.
 */
export const arithmetic = (operation: Operation, a: Tensor, b: Tensor, largest: number): Tensor | undefined => {
  const dims = broadcastDims(a.dims, b.dims);
  if (dims === undefined || a.type !== b.type || sizeOf(dims) > largest) return undefined;
  const left = places(a.dims, dims);
  const right = places(b.dims, dims);
  const bits = INTEGER_BITS[a.type];
  if (bits !== undefined) {
    const x = Array.from(a.data as ArrayLike<number | bigint>, BigInt);
    const y = Array.from(b.data as ArrayLike<number | bigint>, BigInt);
    if (operation === "Div" && y.includes(0n)) return undefined;
    const values = left.map((place, i) => BigInt.asIntN(bits, INTEGER[operation](x[place], y[right[i]])));
    return a.type === "int64"
      ? tensor("int64", dims, BigInt64Array.from(values))
      : tensor("int32", dims, Int32Array.from(values, Number));
  }
  if (a.type !== "float32" && a.type !== "float64") return undefined;
  const x = a.data as Float64Array;
  const y = b.data as Float64Array;
  const values = left.map((place, i) => FLOAT[operation](x[place], y[right[i]]));
  return a.type === "float32"
    ? tensor("float32", dims, Float32Array.from(values))
    : tensor("float64", dims, Float64Array.from(values));
};
