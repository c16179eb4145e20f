import { clamp, maximum, minimum, nearest, pseudoMaximum, pseudoMinimum } from "./numeric.ts";

/** A 128-bit value: 16 bytes in a buffer of their own. */
export type Vector = Uint8Array<ArrayBuffer>;
type Lanes = { [index: number]: number; length: number; readonly buffer: ArrayBufferLike };

const signedArrays = { i8x16: Int8Array, i16x8: Int16Array, i32x4: Int32Array } as const;
const unsignedArrays = { i8x16: Uint8Array, i16x8: Uint16Array, i32x4: Uint32Array } as const;
const floatArrays = { f32x4: Float32Array, f64x2: Float64Array } as const;
const arrays = { ...signedArrays, ...floatArrays };
export type Shape = keyof typeof arrays;
export type IntShape = keyof typeof signedArrays;
const intShapes = Object.keys(signedArrays) as IntShape[];
const floatShapes = ["f32x4", "f64x2"] as const;

export const lanes = (shape: Shape, v: Vector): Lanes => new arrays[shape](v.buffer);
export const uLanes = (shape: IntShape, v: Vector): Lanes => new unsignedArrays[shape](v.buffer);
export const longs = (v: Vector): BigInt64Array => new BigInt64Array(v.buffer);

/** A vector whose lanes are written by `fill`. */
export const make = (shape: Shape, fill: (i: number) => number): Vector => {
  const out: Vector = new Uint8Array(16);
  const view = lanes(shape, out);
  for (let i = 0; i < view.length; i++) view[i] = fill(i);
  return out;
};
export const makeLongs = (fill: (i: number) => bigint): Vector =>
  new Uint8Array(BigInt64Array.of(fill(0), fill(1)).buffer);

// biome-ignore lint/suspicious/noExplicitAny: each entry has the operands of its instruction.
export type Operation = (...args: any[]) => number | bigint | Vector;
export type Table = Record<string, Operation>;
const operations: Table = {};
const bits: Record<IntShape, number> = { i8x16: 8, i16x8: 16, i32x4: 32 };
const range = (width: number) => ({ low: -(2 ** (width - 1)), high: 2 ** (width - 1) - 1, top: 2 ** width - 1 });

type Compare = (a: number | bigint, b: number | bigint) => boolean;
const comparisons: Record<string, Compare> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  gt: (a, b) => a > b,
  le: (a, b) => a <= b,
  ge: (a, b) => a >= b,
};

for (const shape of intShapes) {
  const width = bits[shape];
  const { low, high, top } = range(width);
  const of = (v: Vector) => lanes(shape, v);
  const uof = (v: Vector) => uLanes(shape, v);
  const unary = (name: string, f: (x: number) => number) => {
    operations[`${shape}.${name}`] = (a: Vector) => {
      const x = of(a);
      return make(shape, (i) => f(x[i]!));
    };
  };
  const binary = (name: string, f: (x: number, y: number) => number) => {
    operations[`${shape}.${name}`] = (a: Vector, b: Vector) => {
      const [x, y] = [of(a), of(b)];
      return make(shape, (i) => f(x[i]!, y[i]!));
    };
  };
  const unsignedBinary = (name: string, f: (x: number, y: number) => number) => {
    operations[`${shape}.${name}`] = (a: Vector, b: Vector) => make(shape, (i) => f(uof(a)[i]!, uof(b)[i]!));
  };
  const shift = (name: string, f: (x: Vector, i: number, by: number) => number) => {
    operations[`${shape}.${name}`] = (a: Vector, by: number) => make(shape, (i) => f(a, i, by & (width - 1)));
  };
  unary("abs", Math.abs);
  unary("neg", (x) => -x);
  binary("add", (x, y) => x + y);
  binary("sub", (x, y) => x - y);
  binary("mul", Math.imul);
  binary("add_sat_s", (x, y) => clamp(x + y, low, high));
  binary("sub_sat_s", (x, y) => clamp(x - y, low, high));
  unsignedBinary("add_sat_u", (x, y) => clamp(x + y, 0, top));
  unsignedBinary("sub_sat_u", (x, y) => clamp(x - y, 0, top));
  binary("min_s", Math.min);
  binary("max_s", Math.max);
  unsignedBinary("min_u", Math.min);
  unsignedBinary("max_u", Math.max);
  unsignedBinary("avgr_u", (x, y) => (x + y + 1) >> 1);
  for (const [name, test] of Object.entries(comparisons)) {
    const suffixes = name === "eq" || name === "ne" ? [""] : ["_s", "_u"];
    for (const suffix of suffixes)
      (suffix === "_u" ? unsignedBinary : binary)(name + suffix, (x, y) => (test(x, y) ? -1 : 0));
  }
  shift("shl", (a, i, by) => of(a)[i]! << by);
  shift("shr_s", (a, i, by) => of(a)[i]! >> by);
  shift("shr_u", (a, i, by) => uof(a)[i]! >>> by);
  operations[`${shape}.all_true`] = (a: Vector) => Number([...new arrays[shape](a.buffer)].every((x) => x !== 0));
  operations[`${shape}.bitmask`] = (a: Vector) =>
    [...new arrays[shape](a.buffer)].reduce((mask, x, i) => mask | (x < 0 ? 1 << i : 0), 0);
}

operations["i8x16.popcnt"] = (a: Vector) => make("i8x16", (i) => a[i]!.toString(2).replaceAll("0", "").length);
operations["i16x8.q15mulr_sat_s"] = (a: Vector, b: Vector) =>
  make("i16x8", (i) => clamp((lanes("i16x8", a)[i]! * lanes("i16x8", b)[i]! + 0x4000) >> 15, -0x8000, 0x7fff));

for (const shape of floatShapes) {
  const of = (v: Vector) => lanes(shape, v);
  const unary: Record<string, (x: number) => number> = {
    abs: Math.abs,
    neg: (x) => -x,
    sqrt: Math.sqrt,
    ceil: Math.ceil,
    floor: Math.floor,
    trunc: Math.trunc,
    nearest,
  };
  const binary: Record<string, (x: number, y: number) => number> = {
    add: (x, y) => x + y,
    sub: (x, y) => x - y,
    mul: (x, y) => x * y,
    div: (x, y) => x / y,
    min: minimum,
    max: maximum,
    pmin: pseudoMinimum,
    pmax: pseudoMaximum,
  };
  const mask = (ok: boolean) => -Number(ok);
  const maskShape = shape === "f32x4" ? "i32x4" : "i64x2";
  for (const [name, f] of Object.entries(unary))
    operations[`${shape}.${name}`] = (a: Vector) => {
      const x = of(a);
      return make(shape, (i) => f(x[i]!));
    };
  for (const [name, f] of Object.entries(binary))
    operations[`${shape}.${name}`] = (a: Vector, b: Vector) => {
      const [x, y] = [of(a), of(b)];
      return make(shape, (i) => f(x[i]!, y[i]!));
    };
  for (const [name, test] of Object.entries(comparisons))
    operations[`${shape}.${name}`] = (a: Vector, b: Vector) => {
      const at = (i: number) => mask(test(of(a)[i]!, of(b)[i]!));
      return maskShape === "i32x4" ? make("i32x4", at) : makeLongs((i) => BigInt(at(i)));
    };
}

const long = (name: string, f: (x: bigint, y: bigint) => bigint) => {
  operations[`i64x2.${name}`] = (a: Vector, b: Vector) => makeLongs((i) => f(longs(a)[i]!, b && longs(b)[i]!));
};
long("abs", (x) => (x < 0n ? -x : x));
long("neg", (x) => -x);
long("add", (x, y) => x + y);
long("sub", (x, y) => x - y);
long("mul", (x, y) => x * y);
for (const [name, test] of Object.entries(comparisons))
  long(name === "eq" || name === "ne" ? name : `${name}_s`, (x, y) => (test(x, y) ? -1n : 0n));
const longShift = (name: string, f: (x: bigint, by: bigint) => bigint) => {
  operations[`i64x2.${name}`] = (a: Vector, by: number) => makeLongs((i) => f(longs(a)[i]!, BigInt(by & 63)));
};
longShift("shl", (x, by) => x << by);
longShift("shr_s", (x, by) => x >> by);
longShift("shr_u", (x, by) => BigInt.asUintN(64, x) >> by);
operations["i64x2.all_true"] = (a: Vector) => Number(longs(a).every((x) => x !== 0n));
operations["i64x2.bitmask"] = (a: Vector) => Number(longs(a)[0]! < 0n) | (Number(longs(a)[1]! < 0n) << 1);

for (const [name, f] of Object.entries({
  not: (x: number) => ~x,
  and: (x: number, y: number) => x & y,
  andnot: (x: number, y: number) => x & ~y,
  or: (x: number, y: number) => x | y,
  xor: (x: number, y: number) => x ^ y,
  bitselect: (x: number, y: number, m: number) => (x & m) | (y & ~m),
}))
  operations[`v128.${name}`] = (a: Vector, b: Vector, c: Vector) =>
    make("i8x16", (i) => (f as (x: number, y?: number, m?: number) => number)(a[i]!, b?.[i], c?.[i]));
operations["v128.any_true"] = (a: Vector) => Number(a.some((x) => x !== 0));

/** Instructions that treat every lane alike. */
export const laneOperations: Readonly<Table> = operations;
