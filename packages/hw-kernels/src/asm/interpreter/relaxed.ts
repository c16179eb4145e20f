import { laneOperations, lanes, longs, make, makeLongs, type Table, uLanes, type Vector } from "./lanes.ts";
import { clamp, fusedDouble, fusedFloat } from "./numeric.ts";
import type { RelaxedSemantics } from "./relaxed-semantics.ts";
import { shapeOperations } from "./shapes.ts";

/** The relaxed instructions as a host with these semantics executes them. */
export const relaxedOperations = (host: RelaxedSemantics): Readonly<Table> => {
  const operations: Table = {};
  const plain = { ...laneOperations, ...shapeOperations };

  const fused = { f32x4: fusedFloat, f64x2: fusedDouble };
  for (const shape of ["f32x4", "f64x2"] as const) {
    const separate = (a: number, b: number, c: number) => (shape === "f32x4" ? Math.fround(a * b) : a * b) + c;
    const madd = host.madd === "fused" ? fused[shape] : separate;
    const at = (v: Vector, i: number) => lanes(shape, v)[i]!;
    operations[`${shape}.relaxed_madd`] = (a: Vector, b: Vector, c: Vector) => {
      const [x, y, z] = [lanes(shape, a), lanes(shape, b), lanes(shape, c)];
      return make(shape, (i) => madd(x[i]!, y[i]!, z[i]!));
    };
    operations[`${shape}.relaxed_nmadd`] = (a: Vector, b: Vector, c: Vector) =>
      make(shape, (i) => madd(-at(a, i), at(b, i), at(c, i)));
    for (const [name, better] of [
      ["min", (x: number, y: number) => x < y],
      ["max", (x: number, y: number) => x > y],
    ] as const)
      operations[`${shape}.relaxed_${name}`] =
        host.minimum === "number"
          ? plain[`${shape}.${name}`]!
          : (a: Vector, b: Vector) => make(shape, (i) => (better(at(a, i), at(b, i)) ? at(a, i) : at(b, i)));
  }

  // The first operand's bytes are signed. Pairs are summed in 16 bits, which wrap or saturate.
  const pairs = (a: Vector, b: Vector) => {
    const [x, y] = [lanes("i8x16", a), host.dot === "signed" ? lanes("i8x16", b) : uLanes("i8x16", b)];
    const limit = host.dot === "saturating" ? (sum: number) => clamp(sum, -0x8000, 0x7fff) : (sum: number) => sum;
    return (i: number) => limit(x[2 * i]! * y[2 * i]! + x[2 * i + 1]! * y[2 * i + 1]!);
  };
  operations["i16x8.relaxed_dot_i8x16_i7x16_s"] = (a: Vector, b: Vector) => make("i16x8", pairs(a, b));
  operations["i32x4.relaxed_dot_i8x16_i7x16_add_s"] = (a: Vector, b: Vector, c: Vector) => {
    const [pair, z] = [pairs(a, b), lanes("i32x4", c)];
    return make("i32x4", (i) => pair(2 * i) + pair(2 * i + 1) + z[i]!);
  };

  operations["i8x16.relaxed_swizzle"] = (a: Vector, from: Vector) =>
    make("i8x16", (i) =>
      from[i]! < 16 ? a[from[i]!]! : from[i]! < 128 && host.swizzle === "modulo" ? a[from[i]! % 16]! : 0,
    );

  const LOWEST = -(2 ** 31);
  const fits = (x: number, low: number, high: number) => x > low - 1 && x < high + 1;
  for (const [sign, low, high] of [
    ["s", LOWEST, -LOWEST - 1],
    ["u", 0, 2 ** 32 - 1],
  ] as const)
    for (const [source, shape, end] of [
      ["f32x4", "f32x4", ""],
      ["f64x2", "f64x2", "_zero"],
    ] as const) {
      const saturating = plain[`i32x4.trunc_sat_${source}_${sign}${end}`]!;
      operations[`i32x4.relaxed_trunc_${source}_${sign}${end}`] = (a: Vector) => {
        if (host.trunc === "saturate") return saturating(a);
        const outside = sign === "s" ? LOWEST : -1;
        const count = shape === "f32x4" ? 4 : 2;
        return make("i32x4", (i) => {
          const x = lanes(shape, a)[i]!;
          return i >= count ? 0 : fits(x, low, high) ? Math.trunc(x) : outside;
        });
      };
    }

  const select = plain["v128.bitselect"]!;
  const top = (shape: "i8x16" | "i16x8" | "i32x4") => (a: Vector, b: Vector, mask: Vector) =>
    make(shape, (i) => lanes(shape, lanes(shape, mask)[i]! < 0 ? a : b)[i]!);
  const topLong = (a: Vector, b: Vector, mask: Vector) => makeLongs((i) => longs(longs(mask)[i]! < 0n ? a : b)[i]!);
  // x64 has a select by top bits for bytes and for 32 and 64 bits; for 16 bits it looks at each byte's.
  for (const [shape, operation] of [
    ["i8x16", top("i8x16")],
    ["i16x8", top("i8x16")],
    ["i32x4", top("i32x4")],
    ["i64x2", topLong],
  ] as const)
    operations[`${shape}.relaxed_laneselect`] = host.laneselect === "bits" ? select : operation;

  operations["i16x8.relaxed_q15mulr_s"] = (a: Vector, b: Vector) =>
    host.q15 === "saturate"
      ? plain["i16x8.q15mulr_sat_s"]!(a, b)
      : make("i16x8", (i) => (lanes("i16x8", a)[i]! * lanes("i16x8", b)[i]! + 0x4000) >> 15);
  return operations;
};
