import { intOf, intsOf } from "../attrs.ts";
import type { Node } from "../model.ts";
import {
  type DataType,
  dataTypeOfCode,
  dataTypes,
  isLazy,
  type LazyTensor,
  sizeOf,
  type Tensor,
  tensor,
} from "../tensor.ts";
import { arithmetic } from "./arithmetic.ts";
import { concatRows, sliceRows } from "./rows.ts";

/** Largest constants that are computed with: shapes, indices, scalars, channels. */
export const MAX_ELEMENTS = 4096;

/** A node whose inputs are all constants; undefined inputs are left out. */
type Evaluate = (node: Node, inputs: readonly (Tensor | undefined)[]) => Tensor | undefined;

const numbers = (t: Tensor): number[] => Array.from(t.data as ArrayLike<number | bigint>, Number);
const integers = (node: Node, attribute: string, input: Tensor | undefined) =>
  input ? numbers(input) : intsOf(node, attribute);
const int64s = (values: readonly number[]) => tensor("int64", [values.length], BigInt64Array.from(values.map(BigInt)));

const BYTE_BITS = 8;

/** A tensor of these values in the array of `type`, where that holds one element in each place. */
const tensorOfValues = (type: DataType, dims: readonly number[], values: readonly (number | bigint)[]) => {
  const { array: made, bits } = dataTypes[type];
  if (made === undefined || bits < BYTE_BITS || type === "complex64" || type === "complex128") return undefined;
  const from = made as unknown as { from(values: readonly (number | bigint)[]): Tensor["data"] };
  return tensor(type, dims, from.from(values));
};

/** The same data under other dims; what is read on demand stays so. */
const withDims = (t: Tensor, dims: readonly number[]): Tensor | undefined => {
  if (sizeOf(dims) !== sizeOf(t.dims)) return undefined;
  if (!isLazy(t)) return { type: t.type, dims, data: t.data };
  const view: LazyTensor = {
    type: t.type,
    dims,
    byteLength: t.byteLength,
    get data() {
      return t.data;
    },
    getData: () => t.getData(),
    drop: () => t.drop(),
  };
  return view;
};

const shape: Evaluate = (node, [x]) => {
  if (!x) return undefined;
  const end = node.attributes.has("end") ? intOf(node, "end", 0) : undefined;
  return int64s(x.dims.slice(intOf(node, "start", 0), end));
};

const unsqueeze: Evaluate = (node, [x, axesInput]) => {
  const axes = integers(node, "axes", axesInput);
  if (!x || !axes) return undefined;
  const rank = x.dims.length + axes.length;
  const places = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  const rest = [...x.dims];
  return withDims(
    x,
    Array.from({ length: rank }, (_, i) => (places.has(i) ? 1 : (rest.shift() ?? 0))),
  );
};

const squeeze: Evaluate = (node, [x, axesInput]) => {
  if (!x) return undefined;
  const axes = integers(node, "axes", axesInput)?.map((axis) => (axis < 0 ? axis + x.dims.length : axis));
  return withDims(
    x,
    x.dims.filter((dim, i) => (axes ? !axes.includes(i) : dim !== 1)),
  );
};

const reshape: Evaluate = (node, [x, wanted]) => {
  if (!x || !wanted) return undefined;
  const keepZero = intOf(node, "allowzero", 0) === 1;
  const dims = numbers(wanted).map((dim, i) => (dim === 0 && !keepZero ? (x.dims[i] ?? 0) : dim));
  const open = dims.indexOf(-1);
  if (open >= 0) dims[open] = sizeOf(x.dims) / sizeOf(dims.filter((_, i) => i !== open));
  return dims.every(Number.isInteger) ? withDims(x, dims) : undefined;
};

const gather: Evaluate = (node, [x, indices]) => {
  if (!x || !indices || intOf(node, "axis", 0) !== 0 || x.dims.length === 0) return undefined;
  const [rows, ...rest] = x.dims;
  const width = sizeOf(rest);
  if (sizeOf(indices.dims) * width > MAX_ELEMENTS) return undefined;
  const data = x.data as unknown as (number | bigint)[];
  const values: (number | bigint)[] = [];
  for (const index of numbers(indices)) {
    const row = index < 0 ? index + rows : index;
    if (row < 0 || row >= rows) return undefined;
    for (let i = 0; i < width; i++) values.push(data[row * width + i]);
  }
  return tensorOfValues(x.type, [...indices.dims, ...rest], values);
};

const concat: Evaluate = (_, inputs) => {
  const parts = inputs.filter((part) => part !== undefined);
  const [first] = parts;
  if (!first || parts.some((part) => part.dims.length !== 1 || part.type !== first.type)) return undefined;
  const values = parts.flatMap((part) => Array.from(part.data as ArrayLike<number | bigint>));
  return tensorOfValues(first.type, [values.length], values);
};

const slice: Evaluate = (node, [x, startsInput, endsInput, axesInput, stepsInput]) => {
  const starts = integers(node, "starts", startsInput);
  const ends = integers(node, "ends", endsInput);
  if (x?.dims.length !== 1 || starts?.length !== 1 || ends?.length !== 1) return undefined;
  const [axis = 0] = integers(node, "axes", axesInput) ?? [];
  const [step = 1] = stepsInput ? numbers(stepsInput) : [];
  if ((axis !== 0 && axis !== -1) || step !== 1) return undefined;
  const values = Array.from(x.data as ArrayLike<number | bigint>).slice(starts[0], ends[0]);
  return tensorOfValues(x.type, [values.length], values);
};

/** Slice along the first axis with step 1, of a tensor of any size. */
const rowSlice: Evaluate = (node, [x, startsInput, endsInput, axesInput, stepsInput]) => {
  const starts = integers(node, "starts", startsInput);
  const ends = integers(node, "ends", endsInput);
  if (!x || starts?.length !== 1 || ends?.length !== 1) return undefined;
  const [axis = 0] = integers(node, "axes", axesInput) ?? [];
  const [step = 1] = stepsInput ? numbers(stepsInput) : [];
  return (axis === 0 || axis === -x.dims.length) && step === 1 ? sliceRows(x, starts[0], ends[0]) : undefined;
};

/** Concat along the first axis, of tensors of any size. */
const rowConcat: Evaluate = (node, inputs) => {
  const parts = inputs.filter((part) => part !== undefined);
  const axis = intOf(node, "axis", 0);
  return parts.length > 0 && (axis === 0 || axis === -parts[0].dims.length) ? concatRows(parts) : undefined;
};

const INTEGER_BITS: Partial<Record<DataType, number>> = { int32: 32, int64: 64 };
const CASTABLE: ReadonlySet<DataType> = new Set(["float32", "float64", "int32", "int64", "bool"]);

const cast: Evaluate = (node, [x]) => {
  const to = dataTypeOfCode(intOf(node, "to", 0));
  if (!x || !to || !CASTABLE.has(to) || !CASTABLE.has(x.type)) return undefined;
  const values = Array.from(x.data as ArrayLike<number | bigint>);
  if (to === "bool")
    return tensorOfValues(
      to,
      x.dims,
      values.map((value) => (Number(value) === 0 ? 0 : 1)),
    );
  const bits = INTEGER_BITS[to];
  if (bits === undefined) return tensorOfValues(to, x.dims, values.map(Number));
  const whole = values.map((value) => (typeof value === "bigint" ? value : Math.trunc(value)));
  if (whole.some((value) => typeof value === "number" && !Number.isFinite(value))) return undefined;
  const big = whole.map(BigInt);
  if (big.some((value) => BigInt.asIntN(bits, value) !== value)) return undefined;
  return tensorOfValues(to, x.dims, to === "int64" ? big : big.map(Number));
};

const OPERATORS: Readonly<Record<string, Evaluate>> = {
  Cast: cast,
  Concat: concat,
  Gather: gather,
  Slice: slice,
  Add: (_, [a, b]) => a && b && arithmetic("Add", a, b, MAX_ELEMENTS),
  Div: (_, [a, b]) => a && b && arithmetic("Div", a, b, MAX_ELEMENTS),
  Mul: (_, [a, b]) => a && b && arithmetic("Mul", a, b, MAX_ELEMENTS),
  Sub: (_, [a, b]) => a && b && arithmetic("Sub", a, b, MAX_ELEMENTS),
};

/** Operators that do not touch the data of their first input, so that it may have any size. */
const VIEWS: Readonly<Record<string, Evaluate>> = {
  Reshape: reshape,
  Shape: shape,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
};

/** Operators that move whole rows; large tensors are moved when they are read. */
const MOVES: Readonly<Record<string, readonly [move: Evaluate, moved: (inputs: number) => number]>> = {
  Concat: [rowConcat, (inputs) => inputs],
  Slice: [rowSlice, () => 1],
};

/** True for operators that `evaluate` may compute. */
export const isComputed = (node: Node): boolean =>
  Object.hasOwn(OPERATORS, node.opType) || Object.hasOwn(VIEWS, node.opType);

/**
 * The value of a node of the standard domain whose inputs are all constants, or undefined where it is not computed
 * here: another operator, large constants, an error in the model.
 *
 * @param options `moves`: large tensors, too, are cut and joined along their first axis
 */
export const evaluate = (
  node: Node,
  inputs: readonly (Tensor | undefined)[],
  { moves = true }: { readonly moves?: boolean } = {},
): Tensor | undefined => {
  const small = (t: Tensor | undefined) => t === undefined || sizeOf(t.dims) <= MAX_ELEMENTS;
  if (Object.hasOwn(VIEWS, node.opType)) {
    return inputs.slice(1).every(small) ? VIEWS[node.opType](node, inputs) : undefined;
  }
  if (!Object.hasOwn(OPERATORS, node.opType)) return undefined;
  if (!inputs.every(small)) {
    if (!moves || !Object.hasOwn(MOVES, node.opType)) return undefined;
    const [move, moved] = MOVES[node.opType];
    return inputs.slice(moved(inputs.length)).every(small) ? move(node, inputs) : undefined;
  }
  const result = OPERATORS[node.opType](node, inputs);
  return result && small(result) ? result : undefined;
};
