import type { Op, Values } from "../../op.ts";
import { doubleBound, SIZES, sizeTriples } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomDoubles } from "../seeded.ts";

export const gemm64Args = {
  a: "f64[]",
  b: "f64[]",
  c: "f64[] inout",
  m: "i32",
  n: "i32",
  k: "i32",
  strideA: "i32",
  strideB: "i32",
  strideC: "i32",
  transA: "i32",
  transB: "i32",
  diagonal: "i32",
  alpha: "f64",
  beta: "f64",
} as const;
type Args = typeof gemm64Args;

/** Elements from the first to the last of a matrix whose rows lie `stride` apart. */
const extent = (rows: number, columns: number, stride: number) => (rows && columns ? (rows - 1) * stride + columns : 0);

type Sizes = { m: number; n: number; k: number };
const call = ({ m, n, k }: Sizes, seed: number, more: Partial<Values<Args>> = {}, edges = true): Values<Args> => {
  const { transA = 0, transB = 0 } = more;
  const tight = {
    ...{ m, n, k, transA, transB, alpha: 1, beta: 0, diagonal: n },
    ...{ strideA: transA ? m : k, strideB: transB ? k : n, strideC: n },
    ...{ a: new Float64Array(), b: new Float64Array(), c: new Float64Array() },
    ...more,
  };
  const lengths = gemm64.lengths(tight);
  return {
    ...tight,
    a: randomDoubles(lengths.a, seed, edges),
    b: randomDoubles(lengths.b, seed + 1, edges),
    c: randomDoubles(lengths.c, seed + 2),
  };
};

const DOUBLE = 8;
/** About 8 GFLOP/s, two operations a term. */
const TERMS_PER_NANOSECOND = 4;
const CUT = 12;

/**
 * Matrix products in float64, of a whole matrix or of what lies left of a diagonal.
 *
 *     C[i, j] = alpha * (op(A) op(B))[i, j] + beta * C[i, j]      for j <= i + diagonal; the rest of C is not touched
 *
 * op(A) [m, k]: a holds A [m, k], or [k, m] where transA is 1; op(B) [k, n] alike; C [m, n]; rows lie strideA, strideB and
 * strideC elements apart. All of C is meant by diagonal = n, the lower triangle of a square by 0. Where beta is 0, C is not
 * read.
 */
export const gemm64: Op<Args> = {
  name: "gemm64",
  args: gemm64Args,
  lengths: (v) => ({
    a: v.transA ? extent(v.k, v.m, v.strideA) : extent(v.m, v.k, v.strideA),
    b: v.transB ? extent(v.n, v.k, v.strideB) : extent(v.k, v.n, v.strideB),
    c: extent(v.m, v.n, v.strideC),
  }),
  tolerance: (v) => {
    const c = new Float64Array(v.c.length);
    const [alongA, acrossA] = v.transA ? [v.strideA, 1] : [1, v.strideA];
    const [alongB, acrossB] = v.transB ? [1, v.strideB] : [v.strideB, 1];
    for (let i = 0; i < v.m; i++)
      for (let j = 0; j < Math.min(v.n, i + v.diagonal + 1); j++) {
        const at = i * v.strideC + j;
        let sum = Math.abs(v.beta ? v.beta * v.c[at]! : 0);
        for (let p = 0; p < v.k; p++)
          sum += Math.abs(v.alpha * v.a[i * acrossA + p * alongA]! * v.b[p * alongB + j * acrossB]!);
        c[at] = doubleBound(v.k + 3, sum);
      }
    return { c };
  },
  cases: function* (scope) {
    let seed = 1;
    const next = () => {
      seed += 4;
      return seed;
    };
    for (const sizes of sizeTriples(scope === "load" ? [1, 9] : SIZES))
      yield call(sizes, next(), {
        transA: (seed >> 2) & 1,
        transB: (seed >> 3) & 1,
        diagonal: seed % 3 ? sizes.n : ((seed >> 4) % 5) - 2,
      });
    for (const [transA, transB] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const wide = { strideA: 45, strideB: 46, strideC: 47, transA, transB, alpha: -0.5 };
      yield call({ m: 13, n: 17, k: 21 }, next(), { ...wide, beta: 3, diagonal: 2 });
      yield call({ m: 14, n: 14, k: 5 }, next(), { ...wide, beta: 1, diagonal: 0 });
      if (scope === "load") continue;
      yield call({ m: 5, n: 6, k: 0 }, next(), { beta: 0.5, transA, transB });
      yield call({ m: 5, n: 6, k: 0 }, next(), { transA, transB, diagonal: 1 });
      yield call({ m: 9, n: 10, k: 515 }, next(), { transA, transB });
      yield call({ m: 200, n: 12, k: 20 }, next(), { transA, transB });
      yield call({ m: 7, n: 800, k: 3 }, next(), { transA, transB, beta: 1 });
      yield call({ m: 420, n: 420, k: 2 }, next(), { transA, transB, beta: 1, diagonal: 0 });
    }
  },
  sample: () => call({ m: 96, n: 96, k: 128 }, 1, {}, false),
  scratch: ({ m, n, k }) => productBytes64(m, n, k),
  work: (v) => ((v.m * v.n * v.k) / TERMS_PER_NANOSECOND) * (v.diagonal < v.n ? 0.5 : 1),
  split: (v, parts) =>
    v.diagonal >= v.n && v.n > v.m
      ? cut(v.n, parts, CUT).map(([start, n]) => ({
          ...v,
          n,
          diagonal: n,
          b: v.b + start * (v.transB ? v.strideB : 1) * DOUBLE,
          c: v.c + start * DOUBLE,
        }))
      : rowParts(v.m, parts, v.diagonal < v.n).map(([start, m]) => ({
          ...v,
          m,
          diagonal: Math.min(v.n, v.diagonal + start),
          a: v.a + start * (v.transA ? 1 : v.strideA) * DOUBLE,
          c: v.c + start * v.strideC * DOUBLE,
        })),
};

/** Parts with about as many elements each: of a triangle, rows up to r hold r^2 / 2. */
const rowParts = (rows: number, parts: number, triangle: boolean): [start: number, size: number][] => {
  if (!triangle) return cut(rows, parts, CUT);
  const ends = Array.from({ length: parts }, (_, i) =>
    i === parts - 1 ? rows : Math.min(rows, Math.ceil((rows * Math.sqrt((i + 1) / parts)) / CUT) * CUT),
  );
  return ends
    .map((end, i): [number, number] => [i ? ends[i - 1]! : 0, end - (i ? ends[i - 1]! : 0)])
    .filter(([, size]) => size > 0);
};

/** Steps of k that are summed in registers, rows of A and columns of B that are packed at once; whole tiles of each. */
export const BLOCKS64 = { depth: 256, rows: 96, columns: 384 } as const;
/** Rounds sizes up to whole tiles, and is the room of one tile. */
const WIDEST_TILE = 6;
export const TILE_BYTES64 = 256;

const productBytes64 = (m: number, n: number, k: number): number => {
  const rows = Math.min(m + WIDEST_TILE - 1, BLOCKS64.rows);
  const columns = Math.min(n + WIDEST_TILE - 1, BLOCKS64.columns);
  return TILE_BYTES64 + (rows + columns) * Math.min(k, BLOCKS64.depth) * DOUBLE;
};
