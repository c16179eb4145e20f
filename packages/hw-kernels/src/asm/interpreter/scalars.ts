import type { Table } from "./lanes.ts";
import { clamp, maximum, minimum, nearest, truncateSaturating } from "./numeric.ts";

const operations: Table = {};

const rotate = (x: number, by: number) => (x << by) | (x >>> (32 - by));
const integers: Record<string, (a: number, b: number) => number> = {
  eqz: (a) => Number(a === 0),
  clz: (a) => Math.clz32(a),
  ctz: (a) => (a ? 31 - Math.clz32(a & -a) : 32),
  popcnt: (a) => (a >>> 0).toString(2).replaceAll("0", "").length,
  extend8_s: (a) => (a << 24) >> 24,
  extend16_s: (a) => (a << 16) >> 16,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: Math.imul,
  div_s: (a, b) => Math.trunc(a / b),
  div_u: (a, b) => Math.floor((a >>> 0) / (b >>> 0)),
  rem_s: (a, b) => a % b,
  rem_u: (a, b) => (a >>> 0) % (b >>> 0),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shr_s: (a, b) => a >> b,
  shr_u: (a, b) => a >>> b,
  rotl: (a, b) => (b & 31 ? rotate(a, b & 31) : a),
  rotr: (a, b) => (b & 31 ? rotate(a, 32 - (b & 31)) : a),
};
for (const [name, f] of Object.entries(integers)) operations[`i32.${name}`] = (a, b) => f(a, b) | 0;

const wide = (x: bigint) => BigInt.asIntN(64, x);
const unsignedWide = (x: bigint) => BigInt.asUintN(64, x);
const bits = (x: bigint) => unsignedWide(x).toString(2).padStart(64, "0");
const rotateWide = (x: bigint, by: bigint) => (x << by) | (unsignedWide(x) >> (64n - by));
const longs: Record<string, (a: bigint, b: bigint) => bigint> = {
  clz: (a) => BigInt(`${bits(a)}1`.indexOf("1")),
  ctz: (a) => BigInt(a ? 63 - bits(a).lastIndexOf("1") : 64),
  popcnt: (a) => BigInt(bits(a).replaceAll("0", "").length),
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div_s: (a, b) => a / b,
  div_u: (a, b) => unsignedWide(a) / unsignedWide(b),
  rem_s: (a, b) => a % b,
  rem_u: (a, b) => unsignedWide(a) % unsignedWide(b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << (b & 63n),
  shr_s: (a, b) => a >> (b & 63n),
  shr_u: (a, b) => unsignedWide(a) >> (b & 63n),
  rotl: (a, b) => rotateWide(a, b & 63n),
  rotr: (a, b) => rotateWide(a, (64n - (b & 63n)) & 63n),
};
for (const [name, f] of Object.entries(longs)) operations[`i64.${name}`] = (a, b) => wide(f(a, b));
operations["i64.eqz"] = (a: bigint) => Number(a === 0n);

const comparisons: Record<string, (a: number | bigint, b: number | bigint) => boolean> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  gt: (a, b) => a > b,
  le: (a, b) => a <= b,
  ge: (a, b) => a >= b,
};
for (const [name, test] of Object.entries(comparisons)) {
  for (const type of ["f32", "f64"]) operations[`${type}.${name}`] = (a, b) => Number(test(a, b));
  const signs = name === "eq" || name === "ne" ? [""] : ["_s", "_u"];
  for (const sign of signs) {
    const int = (x: number) => (sign === "_u" ? x >>> 0 : x);
    const long = (x: bigint) => (sign === "_u" ? unsignedWide(x) : x);
    operations[`i32.${name}${sign}`] = (a, b) => Number(test(int(a), int(b)));
    operations[`i64.${name}${sign}`] = (a, b) => Number(test(long(a), long(b)));
  }
}

const isNegative = (x: number) => x < 0 || Object.is(x, -0);
const floats: Record<string, (a: number, b: number) => number> = {
  abs: Math.abs,
  neg: (a) => -a,
  ceil: Math.ceil,
  floor: Math.floor,
  trunc: Math.trunc,
  nearest,
  sqrt: Math.sqrt,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: minimum,
  max: maximum,
  copysign: (a, b) => (isNegative(b) ? -Math.abs(a) : Math.abs(a)),
};
for (const [name, f] of Object.entries(floats)) {
  operations[`f32.${name}`] = (a, b) => Math.fround(f(a, b));
  operations[`f64.${name}`] = f;
}

const scratch = new DataView(new ArrayBuffer(8));
operations["i32.wrap_i64"] = (a: bigint) => Number(BigInt.asIntN(32, a));
operations["i64.extend_i32_s"] = (a: number) => BigInt(a);
operations["i64.extend_i32_u"] = (a: number) => BigInt(a >>> 0);
operations["f64.promote_f32"] = (a: number) => a;
operations["f32.demote_f64"] = Math.fround;
for (const [sign, from] of [
  ["s", (a: number) => a],
  ["u", (a: number) => a >>> 0],
] as const) {
  const long = sign === "s" ? wide : unsignedWide;
  const [low, high] = sign === "s" ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  operations[`f32.convert_i32_${sign}`] = (a) => Math.fround(from(a));
  operations[`f64.convert_i32_${sign}`] = from;
  operations[`f64.convert_i64_${sign}`] = (a) => Number(long(a));
  operations[`f32.convert_i64_${sign}`] = (a) => roundLong(long(a));
  for (const type of ["f32", "f64"]) {
    operations[`i32.trunc_${type}_${sign}`] = (a) => Math.trunc(a) | 0;
    operations[`i64.trunc_${type}_${sign}`] = (a) => wide(BigInt(Math.trunc(a)));
    operations[`i32.trunc_sat_${type}_${sign}`] = (a) => truncateSaturating(a, low, high) | 0;
  }
}

/** A 64-bit integer as float32, rounded once: what lies below 40 bits is folded into one sticky bit first. */
const roundLong = (x: bigint): number => {
  const magnitude = x < 0n ? -x : x;
  const extra = BigInt(clamp(magnitude.toString(2).length - 40, 0, 24));
  const kept = magnitude >> extra;
  const sticky = kept << extra === magnitude ? kept : kept | 1n;
  return Math.fround(Number(sticky)) * 2 ** Number(extra) * (x < 0n ? -1 : 1);
};

const reinterpret = <T>(write: () => void, read: () => T): T => {
  write();
  return read();
};
operations["i32.reinterpret_f32"] = (a) =>
  reinterpret(
    () => scratch.setFloat32(0, a),
    () => scratch.getInt32(0),
  );
operations["f32.reinterpret_i32"] = (a) =>
  reinterpret(
    () => scratch.setInt32(0, a),
    () => scratch.getFloat32(0),
  );
operations["i64.reinterpret_f64"] = (a) =>
  reinterpret(
    () => scratch.setFloat64(0, a),
    () => scratch.getBigInt64(0),
  );
operations["f64.reinterpret_i64"] = (a) =>
  reinterpret(
    () => scratch.setBigInt64(0, a),
    () => scratch.getFloat64(0),
  );

/** Instructions on single numbers. Traps are not modelled. */
export const scalarOperations: Readonly<Table> = operations;
