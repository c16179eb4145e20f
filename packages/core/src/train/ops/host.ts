import { intOf, intsOf } from "../../attrs.ts";
import { evaluate } from "../../fold/evaluate.ts";
import { numbersOf } from "../../measure/numbers.ts";
import type { Node } from "../../model.ts";
import { permute } from "../../numeric/permute.ts";
import { type DataType, sizeOf, type Tensor } from "../../tensor.ts";

/** Largest values that are computed on the host: shapes, indices, masks of a sequence. */
const MAX_ELEMENTS = 65536;

type Host = (node: Node, inputs: readonly (Tensor | undefined)[]) => Tensor | undefined;

const ARRAYS: Partial<Record<DataType, (values: ArrayLike<number>) => Tensor["data"]>> = {
  bool: (values) => Uint8Array.from(values, (v) => (v === 0 ? 0 : 1)),
  float32: (values) => Float32Array.from(values),
  float64: (values) => Float64Array.from(values),
  int32: (values) => Int32Array.from(values),
  int64: (values) => BigInt64Array.from(Array.from(values), (v) => BigInt(Math.trunc(v))),
};

const made = (type: DataType, dims: readonly number[], values: ArrayLike<number>): Tensor | undefined => {
  const data = ARRAYS[type]?.(values);
  return data && { type, dims, data };
};

const broadcast = (all: readonly Tensor[]): number[] | undefined => {
  const rank = Math.max(...all.map((t) => t.dims.length));
  const dims = Array.from({ length: rank }, (_, i) =>
    all.reduce((dim, t) => {
      const own = t.dims[i - rank + t.dims.length] ?? 1;
      return dim === 1 ? own : dim;
    }, 1),
  );
  const fits = all.every((t) => t.dims.every((dim, i) => dim === 1 || dim === dims[i + rank - t.dims.length]));
  return fits && sizeOf(dims) <= MAX_ELEMENTS ? dims : undefined;
};

/** Values of a tensor spread over the dims that it broadcasts to. */
const spread = (t: Tensor, dims: readonly number[]): number[] => {
  const values = numbersOf(t);
  const offset = dims.length - t.dims.length;
  return Array.from({ length: sizeOf(dims) }, (_, flat) => {
    let [rest, place, step] = [flat, 0, 1];
    for (let i = dims.length - 1; i >= 0; i--) {
      const at = rest % dims[i];
      rest = (rest - at) / dims[i];
      const own = i >= offset ? t.dims[i - offset] : 1;
      if (own !== 1) place += at * step;
      step *= own;
    }
    return values[place];
  });
};

const elements =
  (f: (...values: number[]) => number, type?: DataType): Host =>
  (_, inputs) => {
    const given = inputs.filter((t) => t !== undefined);
    const dims = broadcast(given);
    if (!dims || given.length < inputs.length) return undefined;
    const spreads = given.map((t) => spread(t, dims));
    const values = spreads[0].map((_value, i) => f(...spreads.map((s) => s[i])));
    return made(type ?? given[given.length - 1].type, dims, values);
  };

const range: Host = (_, [start, limit, delta]) => {
  if (!start || !limit || !delta) return undefined;
  const [from, to, by] = [start, limit, delta].map((t) => numbersOf(t)[0]);
  const count = Math.max(0, Math.ceil((to - from) / by));
  return count > MAX_ELEMENTS
    ? undefined
    : made(
        start.type,
        [count],
        Array.from({ length: count }, (_v, i) => from + i * by),
      );
};

const expand: Host = (_, [t, shape]) => {
  if (!t || !shape) return undefined;
  const asked = { type: "bool" as const, dims: Array.from(numbersOf(shape)), data: new Uint8Array(0) };
  const dims = broadcast([t, asked]);
  return dims && made(t.type, dims, spread(t, dims));
};

const reduce =
  (f: (a: number, b: number) => number): Host =>
  (node, [t, given]) => {
    if (!t) return undefined;
    const values = numbersOf(t);
    const rank = t.dims.length;
    const axes = (given ? Array.from(numbersOf(given)) : intsOf(node, "axes"))?.map((a) => (a < 0 ? a + rank : a));
    const all = axes === undefined || axes.length === 0 || axes.length === rank;
    if (!all || values.length === 0) return undefined;
    const keep = intOf(node, "keepdims", 1) !== 0;
    return made(t.type, keep ? t.dims.map(() => 1) : [], [Array.from(values).reduce(f)]);
  };

const transpose: Host = (node, [t]) => {
  if (!t) return undefined;
  const order = intsOf(node, "perm") ?? t.dims.map((_, i) => t.dims.length - 1 - i);
  const values = permute(Float64Array.from(numbersOf(t)), t.dims, order);
  return made(
    t.type,
    order.map((axis) => t.dims[axis]),
    values,
  );
};

const slice: Host = (_, [t, starts, ends, axes, steps]) => {
  if (!t || !starts || !ends) return undefined;
  const rank = t.dims.length;
  const given = Array.from(numbersOf(starts));
  const ranges = t.dims.map((dim) => Array.from({ length: dim }, (_v, i) => i));
  const to = numbersOf(ends);
  for (const [i, start] of given.entries()) {
    const along = axes ? numbersOf(axes)[i] : i;
    const axis = along < 0 ? along + rank : along;
    const step = steps ? numbersOf(steps)[i] : 1;
    const length = t.dims[axis];
    const place = (at: number, low: number, high: number) => Math.max(low, Math.min(high, at < 0 ? at + length : at));
    const kept: number[] = [];
    if (step > 0) for (let at = place(start, 0, length); at < place(to[i], 0, length); at += step) kept.push(at);
    else for (let at = place(start, 0, length - 1); at > place(to[i], -1, length - 1); at += step) kept.push(at);
    ranges[axis] = kept;
  }
  const values = numbersOf(t);
  let flat = [0];
  for (const [axis, dim] of t.dims.entries()) flat = flat.flatMap((base) => ranges[axis].map((at) => base * dim + at));
  return made(
    t.type,
    ranges.map((range) => range.length),
    flat.map((at) => values[at]),
  );
};

/** Integers and conditions that shapes are made of, and what `fold` computes. */
const OPERATORS: Readonly<Record<string, Host>> = {
  Abs: elements(Math.abs),
  And: elements((a, b) => (a && b ? 1 : 0), "bool"),
  Ceil: elements(Math.ceil),
  Equal: elements((a, b) => (a === b ? 1 : 0), "bool"),
  Expand: expand,
  Floor: elements(Math.floor),
  Greater: elements((a, b) => (a > b ? 1 : 0), "bool"),
  GreaterOrEqual: elements((a, b) => (a >= b ? 1 : 0), "bool"),
  Identity: (_, [t]) => t,
  Less: elements((a, b) => (a < b ? 1 : 0), "bool"),
  LessOrEqual: elements((a, b) => (a <= b ? 1 : 0), "bool"),
  Max: elements(Math.max),
  Min: elements(Math.min),
  Neg: elements((a) => -a),
  Not: elements((a) => (a ? 0 : 1), "bool"),
  Or: elements((a, b) => (a || b ? 1 : 0), "bool"),
  Range: range,
  ReduceMax: reduce(Math.max),
  ReduceMin: reduce(Math.min),
  ReduceProd: reduce((a, b) => a * b),
  ReduceSum: reduce((a, b) => a + b),
  Slice: slice,
  Sqrt: elements(Math.sqrt),
  Transpose: transpose,
  Where: elements((condition, a, b) => (condition ? a : b)),
};

/** The value of a node whose inputs are all on the host, or undefined where TensorFlow.js must compute it. */
export const onHost = (node: Node, inputs: readonly (Tensor | undefined)[]): Tensor | undefined => {
  if (node.domain !== "" && node.domain !== "ai.onnx") return undefined;
  const found = evaluate(node, inputs);
  if (found) return found;
  const operator = Object.hasOwn(OPERATORS, node.opType) ? OPERATORS[node.opType] : undefined;
  const small = inputs.every((t) => t === undefined || (t.type !== "string" && sizeOf(t.dims) <= MAX_ELEMENTS));
  return small ? operator?.(node, inputs) : undefined;
};

/** Operators that are computed on the host alone. */
export const HOST_ONLY: ReadonlySet<string> = new Set(["Range"]);
