import type { Op, Values } from "../../op.ts";
import { cut } from "../cut.ts";
import { seeded } from "../seeded.ts";

export const rescaleArgs = {
  x: "i32[]",
  rowScales: "f32[]",
  columnScales: "f32[]",
  bias: "f32[]",
  y: "f32[] out",
  m: "i32",
  n: "i32",
  low: "f32",
  high: "f32",
} as const;
export const requantizeArgs = {
  x: "i32[]",
  scales: "f32[]",
  y: "u8[] out",
  m: "i32",
  n: "i32",
  zero: "i32",
  low: "i32",
  high: "i32",
} as const;

const WORD = 4;
const ELEMENTS_PER_NANOSECOND = 2;
const SIZES = [1, 3, 4, 7, 8, 17, 64];
const LOAD_SIZES = [3, 8];
const EXTREMES = [0, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 24 + 1, 12345678];

const integers = (count: number, seed: number) => {
  const random = seeded(seed);
  return Int32Array.from({ length: count }, () =>
    random() < 0.2 ? EXTREMES[Math.floor(random() * EXTREMES.length)]! : Math.floor((random() - 0.5) * 100000),
  );
};
const floats = (count: number, seed: number, size: number) => {
  const random = seeded(seed);
  return Float32Array.from({ length: count }, () => (random() < 0.1 ? 0 : (random() - 0.3) * size));
};
const work = ({ m, n }: { readonly m: number; readonly n: number }) => (m * n) / ELEMENTS_PER_NANOSECOND;

const rescaleCall = (m: number, n: number, seed: number): Values<typeof rescaleArgs> => ({
  x: integers(m * n, seed),
  rowScales: floats(m, seed + 1, 1),
  columnScales: floats(n, seed + 2, 0.1),
  bias: floats(seed % 2 ? n : 0, seed + 3, 10),
  y: new Float32Array(m * n),
  ...{ m, n, low: seed % 3 ? -Infinity : -20, high: seed % 3 ? Infinity : 30 },
});

/**
 * Sums of products of integers as floats, one scale for each row and column:
 *
 *     y[i, j] = clamp(x[i, j] * (rowScales[i] * columnScales[j]) + bias[j], low, high)
 *
 * each operation rounded to float32. x and y [m, n]; bias [n] or empty.
 */
export const rescale: Op<typeof rescaleArgs> = {
  name: "rescale",
  args: rescaleArgs,
  lengths: ({ m, n, bias }) => ({ x: m * n, rowScales: m, columnScales: n, bias: bias.length && n, y: m * n }),
  tolerance: "exact",
  cases: function* (scope) {
    let seed = 1;
    for (const m of scope === "load" ? [2] : [1, 2, 5])
      for (const n of scope === "load" ? LOAD_SIZES : SIZES) yield rescaleCall(m, n, seed++);
  },
  sample: () => rescaleCall(64, 1024, 1),
  work,
  split: (v, parts) =>
    cut(v.m, parts, 1).map(([start, m]) => ({
      ...v,
      m,
      x: v.x + start * v.n * WORD,
      rowScales: v.rowScales + start * WORD,
      y: v.y + start * v.n * WORD,
    })),
};

const requantizeCall = (m: number, n: number, seed: number): Values<typeof requantizeArgs> => {
  const [low, high] = seed % 2 ? [-128, 127] : [0, 255];
  return {
    x: integers(m * n, seed),
    scales: floats(n, seed + 1, seed % 4 ? 0.004 : 3),
    y: new Uint8Array(m * n),
    ...{ m, n, zero: low! + ((seed * 71) % 256), low: low!, high: high! },
  };
};

/**
 * Sums of products of integers as 8-bit integers, one scale for each column, halves to even:
 *
 *     y[i, j] = clamp(round(x[i, j] * scales[j]) + zero, low, high)
 *
 * the product rounded to float32. x and y [m, n], y as bytes of two's complement; low and high from -128 to 255.
 */
export const requantize: Op<typeof requantizeArgs> = {
  name: "requantize",
  args: requantizeArgs,
  lengths: ({ m, n }) => ({ x: m * n, scales: n, y: m * n }),
  tolerance: "exact",
  cases: function* (scope) {
    let seed = 1;
    for (const m of scope === "load" ? [2] : [1, 2, 5])
      for (const n of scope === "load" ? LOAD_SIZES : SIZES)
        for (let i = 0; i < 4; i++) yield requantizeCall(m, n, seed++);
  },
  sample: () => requantizeCall(64, 1024, 1),
  work,
  split: (v, parts) =>
    cut(v.m, parts, 1).map(([start, m]) => ({ ...v, m, x: v.x + start * v.n * WORD, y: v.y + start * v.n })),
};
