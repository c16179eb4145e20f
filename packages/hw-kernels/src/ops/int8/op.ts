import type { Op, Values } from "../../op.ts";
import { cut } from "../cut.ts";
import { seeded } from "../seeded.ts";

export const int8Args = {
  w: "i8[]",
  sums: "i32[]",
  bias: "i32[]",
  a: "i8[]",
  y: "i32[] inout",
  m: "i32",
  n: "i32",
  k: "i32",
  zero: "i32",
  stride: "i32",
} as const;
type Args = typeof int8Args;

/** Rows of weights that lie together, and k of a row that do. */
export const [GROUP, QUAD] = [8, 4];
/** What k is a multiple of. */
export const INT8_STEP = 16;
/** About how many k of a group are worked on before the next rows of A. */
export const DEPTH = 1024;

const WORD = 4;
const CACHE_LINE = 64;
const TERMS_PER_NANOSECOND = 40;
const groupsOf = (n: number) => Math.ceil(n / GROUP);

/** Weights [n, k] as kernels read them: [n / 8, k / 4, 8, 4], rows and k filled up with zeros. */
export const packInt8 = (w: Int8Array, n: number, columns: number, target: Int8Array): void => {
  const k = Math.ceil(columns / INT8_STEP) * INT8_STEP;
  for (let row = 0; row < n; row++) {
    const start = Math.floor(row / GROUP) * GROUP * k + (row % GROUP) * QUAD;
    for (let i = 0; i < columns; i++) target[start + (i >> 2) * GROUP * QUAD + (i & 3)] = w[row * columns + i]!;
  }
};

const call = (
  sizes: { m: number; n: number; k: number },
  seed: number,
  { zero = 0, bias = false, gap = 0, extreme = false } = {},
): Values<Args> => {
  const { m, n, k } = sizes;
  const random = seeded(seed);
  const byte = () => (extreme ? (random() < 0.9 ? -128 : 127) : Math.floor(random() * 256) - 128);
  const plain = Int8Array.from({ length: n * k }, byte);
  const w = new Int8Array(groupsOf(n) * GROUP * k);
  packInt8(plain, n, k, w);
  const sums = new Int32Array(groupsOf(n) * GROUP);
  for (let row = 0; row < n; row++) for (let i = 0; i < k; i++) sums[row]! += plain[row * k + i]!;
  const stride = n + gap;
  return {
    ...{ w, sums, a: Int8Array.from({ length: m * k }, byte) },
    bias: Int32Array.from({ length: bias ? n : 0 }, () => Math.floor((random() - 0.5) * 2 ** 31)),
    y: new Int32Array(m ? (m - 1) * stride + n : 0).fill(7),
    ...{ ...sizes, zero, stride },
  };
};

/**
 * Integer products of 8-bit weights and activations:
 *
 *     y[i, j] = bias[j] + sum over k of (a[i, k] - zero) w[j, k]      in 32 bits, which wrap around
 *
 * w as `packInt8` makes it; sums [n, rounded up to 8]: the sum of each row of w; bias [n] or empty; a [m, k];
 * y [m, n], rows `stride` apart; k a multiple of 16.
 */
export const int8: Op<Args> = {
  name: "int8",
  args: int8Args,
  lengths: (v) => ({
    w: groupsOf(v.n) * GROUP * v.k,
    sums: groupsOf(v.n) * GROUP,
    bias: v.bias.length && v.n,
    a: v.m * v.k,
    y: v.m && v.n ? (v.m - 1) * v.stride + v.n : 0,
  }),
  tolerance: "exact",
  cases: function* (scope) {
    let seed = 1;
    const [rows, columns, depths] =
      scope === "load"
        ? [[1, 7], [8, 13], [48]]
        : [
            [1, 2, 3, 4, 5, 6, 7, 9, 13],
            [1, 3, 7, 8, 9, 15, 16, 17, 33],
            [16, 32, 48, 80],
          ];
    for (const m of rows)
      for (const n of columns)
        for (const k of depths) {
          yield call({ m, n, k }, seed++, { zero: ((seed * 37) % 256) - 128, bias: seed % 2 === 0, gap: seed % 3 });
          yield call({ m, n, k }, seed++, { extreme: true, zero: seed % 2 ? -128 : 127 });
        }
    if (scope === "load") return;
    yield call({ m: 2, n: 9, k: 2 * DEPTH + 16 }, seed, { extreme: true, bias: true });
    yield call({ m: 65, n: 8, k: 64 }, seed, { zero: 3 });
  },
  sample: () => call({ m: 24, n: 256, k: 1024 }, 1),
  scratch: ({ m, k }) => 2 * m * k + 2 * DEPTH * GROUP + m * GROUP * WORD + 6 * CACHE_LINE,
  work: ({ m, n, k }) => (m * n * k) / TERMS_PER_NANOSECOND,
  split: (v, parts) =>
    cut(v.n, parts, GROUP).map(([start, n]) => ({
      ...v,
      n,
      w: v.w + start * v.k,
      sums: v.sums + start * WORD,
      bias: v.bias && v.bias + start * WORD,
      y: v.y + start * WORD,
    })),
};
