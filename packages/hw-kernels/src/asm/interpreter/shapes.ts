import {
  type IntShape,
  lanes,
  longs,
  make,
  makeLongs,
  type Operation,
  type Shape,
  type Table,
  uLanes,
  type Vector,
} from "./lanes.ts";
import { clamp, truncateSaturating } from "./numeric.ts";

const operations: Table = {};
const define = (name: string, operation: Operation) => {
  operations[name] = operation;
};

const f32s = (v: Vector) => lanes("f32x4", v);
const f64s = (v: Vector) => lanes("f64x2", v);
const view = (shape: IntShape, v: Vector, sign: "s" | "u") => (sign === "s" ? lanes(shape, v) : uLanes(shape, v));

// From narrow integer lanes to lanes twice as wide.
const widenings: readonly (readonly [IntShape, IntShape])[] = [
  ["i8x16", "i16x8"],
  ["i16x8", "i32x4"],
];
for (const [from, to] of widenings) {
  const count = to === "i16x8" ? 8 : 4;
  for (const sign of ["s", "u"] as const) {
    for (const [half, start] of [
      ["low", 0],
      ["high", count],
    ] as const) {
      define(`${to}.extend_${half}_${from}_${sign}`, (a: Vector) => make(to, (i) => view(from, a, sign)[start + i]!));
      define(`${to}.extmul_${half}_${from}_${sign}`, (a: Vector, b: Vector) =>
        make(to, (i) => Math.imul(view(from, a, sign)[start + i]!, view(from, b, sign)[start + i]!)),
      );
    }
    define(`${to}.extadd_pairwise_${from}_${sign}`, (a: Vector) =>
      make(to, (i) => view(from, a, sign)[2 * i]! + view(from, a, sign)[2 * i + 1]!),
    );
    const width = to === "i16x8" ? 8 : 16;
    const [low, high] = sign === "s" ? [-(2 ** (width - 1)), 2 ** (width - 1) - 1] : [0, 2 ** width - 1];
    define(`${from}.narrow_${to}_${sign}`, (a: Vector, b: Vector) =>
      make(from, (i) => clamp(lanes(to, i < count ? a : b)[i % count]!, low, high)),
    );
  }
}
for (const sign of ["s", "u"] as const) {
  const at = (v: Vector, i: number) => BigInt(view("i32x4", v, sign)[i]!);
  for (const [half, start] of [
    ["low", 0],
    ["high", 2],
  ] as const) {
    define(`i64x2.extend_${half}_i32x4_${sign}`, (a: Vector) => makeLongs((i) => at(a, start + i)));
    define(`i64x2.extmul_${half}_i32x4_${sign}`, (a: Vector, b: Vector) =>
      makeLongs((i) => at(a, start + i) * at(b, start + i)),
    );
  }
}
define("i32x4.dot_i16x8_s", (a: Vector, b: Vector) => {
  const product = (i: number) => lanes("i16x8", a)[i]! * lanes("i16x8", b)[i]!;
  return make("i32x4", (i) => product(2 * i) + product(2 * i + 1));
});

// Between numbers and integers.
for (const [sign, low, high] of [
  ["s", -(2 ** 31), 2 ** 31 - 1],
  ["u", 0, 2 ** 32 - 1],
] as const) {
  define(`i32x4.trunc_sat_f32x4_${sign}`, (a: Vector) =>
    make("i32x4", (i) => truncateSaturating(f32s(a)[i]!, low, high)),
  );
  define(`i32x4.trunc_sat_f64x2_${sign}_zero`, (a: Vector) =>
    make("i32x4", (i) => (i < 2 ? truncateSaturating(f64s(a)[i]!, low, high) : 0)),
  );
  define(`f32x4.convert_i32x4_${sign}`, (a: Vector) => make("f32x4", (i) => view("i32x4", a, sign)[i]!));
  define(`f64x2.convert_low_i32x4_${sign}`, (a: Vector) => make("f64x2", (i) => view("i32x4", a, sign)[i]!));
}
define("f32x4.demote_f64x2_zero", (a: Vector) => make("f32x4", (i) => (i < 2 ? f64s(a)[i]! : 0)));
define("f64x2.promote_low_f32x4", (a: Vector) => make("f64x2", (i) => f32s(a)[i]!));

// Between vectors and single lanes. The operands come first, then the lane.
const replaced = (shape: Shape, v: Vector, lane: number, x: number) =>
  make(shape, (i) => (i === lane ? x : lanes(shape, v)[i]!));
for (const shape of ["i8x16", "i16x8", "i32x4", "f32x4", "f64x2"] as const) {
  define(`${shape}.splat`, (x: number) => make(shape, () => x));
  define(`${shape}.replace_lane`, (v: Vector, x: number, lane: number) => replaced(shape, v, lane, x));
  define(`${shape}.extract_lane`, (v: Vector, lane: number) => lanes(shape, v)[lane]!);
}
for (const shape of ["i8x16", "i16x8"] as const)
  for (const sign of ["s", "u"] as const)
    define(`${shape}.extract_lane_${sign}`, (v: Vector, lane: number) => view(shape, v, sign)[lane]!);
define("i64x2.splat", (x: bigint) => makeLongs(() => x));
define("i64x2.replace_lane", (v: Vector, x: bigint, lane: number) => makeLongs((i) => (i === lane ? x : longs(v)[i]!)));
define("i64x2.extract_lane", (v: Vector, lane: number) => longs(v)[lane]!);

// Bytes picked by number.
define("i8x16.shuffle", (a: Vector, b: Vector, ...from: number[]) =>
  make("i8x16", (i) => (from[i]! < 16 ? a[from[i]!]! : b[from[i]! - 16]!)),
);
define("i8x16.swizzle", (a: Vector, from: Vector) => make("i8x16", (i) => a[from[i]!] ?? 0));

/** Instructions whose result has other lanes than their operands. */
export const shapeOperations: Readonly<Table> = operations;
