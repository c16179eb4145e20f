import type { Op, Values } from "../../op.ts";
import { productScratch } from "../blocks/product.ts";
import { floatBound, SIZES, sizeTriples } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomFloats } from "../seeded.ts";

export const gemmArgs = {
  a: "f32[]",
  b: "f32[]",
  bias: "f32[]",
  c: "f32[] inout",
  m: "i32",
  n: "i32",
  k: "i32",
  strideA: "i32",
  strideB: "i32",
  strideC: "i32",
  transA: "i32",
  transB: "i32",
  alpha: "f32",
  beta: "f32",
  low: "f32",
  high: "f32",
  batch: "i32",
  stepA: "i32",
  stepB: "i32",
  stepC: "i32",
  direct: "i32",
} as const;
type Args = typeof gemmArgs;

/** Elements from the first to the last of a matrix whose rows lie `stride` apart. */
const extent = (rows: number, columns: number, stride: number) => (rows && columns ? (rows - 1) * stride + columns : 0);
/** The same for `batch` matrices that begin `step` apart. */
const extents = (batch: number, step: number, one: number) => (one && batch ? (batch - 1) * step + one : 0);

type Sizes = { m: number; n: number; k: number };
/** Arguments for sizes; strides are tight and data is random unless given. */
const gemmCall = ({ m, n, k }: Sizes, seed: number, more: Partial<Values<Args>> = {}, edges = true): Values<Args> => {
  const { transA = 0, transB = 0, batch = 1 } = more;
  const tight = {
    ...{ m, n, k, transA, transB, batch, direct: 0, alpha: 1, beta: 0, low: -Infinity, high: Infinity },
    ...{ strideA: transA ? m : k, strideB: transB ? k : n, strideC: n, stepA: m * k, stepB: k * n, stepC: m * n },
    ...{ a: new Float32Array(), b: new Float32Array(), bias: new Float32Array(), c: new Float32Array() },
    ...more,
  };
  const lengths = gemm.lengths(tight);
  return {
    ...tight,
    a: randomFloats(lengths.a, seed, edges),
    b: randomFloats(lengths.b, seed + 1, edges),
    c: randomFloats(lengths.c, seed + 2),
  };
};

/** Up to so many rows of A it takes longer to pack B than to read it where it lies, by whether B is transposed. */
const DIRECT_ROWS = 32;
const DIRECT_ROWS_TRANSPOSED = 64;
export const isDirect = (rows: number, transB: boolean): boolean =>
  rows <= (transB ? DIRECT_ROWS_TRANSPOSED : DIRECT_ROWS);

const FLOAT = 4;
/** About 40 GFLOP/s, two operations a term. */
const TERMS_PER_NANOSECOND = 20;
/** Parts are cut at multiples, so that no thread has slivers. */
const CUT = 8;

/**
 * Matrix products.
 *
 *     C = clamp(alpha * op(A) op(B) + beta * C + bias, low, high)
 *
 * op(A) [m, k]: a holds A [m, k], or [k, m] where transA is 1; op(B) [k, n]: b holds B [k, n], or [n, k] where transB is 1;
 * C [m, n]; bias [n] or empty. Rows lie strideA, strideB and strideC elements apart. `batch` such products are made, on
 * matrices that begin stepA, stepB and stepC elements apart; a step of 0 uses the same matrix for all. Where beta is 0,
 * C is not read. NaN is not clamped. `direct` 1 reads B where it lies instead of packing it first: see `isDirect`.
 */
export const gemm: Op<Args> = {
  name: "gemm",
  args: gemmArgs,
  lengths: (v) => ({
    a: extents(v.batch, v.stepA, v.transA ? extent(v.k, v.m, v.strideA) : extent(v.m, v.k, v.strideA)),
    b: extents(v.batch, v.stepB, v.transB ? extent(v.n, v.k, v.strideB) : extent(v.k, v.n, v.strideB)),
    c: extents(v.batch, v.stepC, extent(v.m, v.n, v.strideC)),
    bias: v.bias.length && v.n,
  }),
  // k products and sums, and alpha, beta, bias.
  tolerance: (v) => {
    const c = new Float64Array(v.c.length);
    const [alongA, acrossA] = v.transA ? [v.strideA, 1] : [1, v.strideA];
    const [alongB, acrossB] = v.transB ? [1, v.strideB] : [v.strideB, 1];
    for (let l = 0; l < v.batch; l++)
      for (let i = 0; i < v.m; i++)
        for (let j = 0; j < v.n; j++) {
          const at = l * v.stepC + i * v.strideC + j;
          let sum = Math.abs(v.beta ? v.beta * v.c[at]! : 0) + Math.abs(v.bias[j] ?? 0);
          for (let p = 0; p < v.k; p++) {
            const a = v.a[l * v.stepA + i * acrossA + p * alongA]!;
            sum += Math.abs(v.alpha * a * v.b[l * v.stepB + p * alongB + j * acrossB]!);
          }
          c[at] = floatBound(v.k + 4, sum);
        }
    return { c };
  },
  cases: function* (scope) {
    let seed = 1;
    const next = () => {
      seed += 4;
      return seed;
    };
    for (const { m, n, k } of sizeTriples(scope === "load" ? [1, 9] : SIZES))
      yield gemmCall({ m, n, k }, next(), {
        transA: (seed >> 2) & 1,
        transB: (seed >> 3) & 1,
        direct: (seed >> 4) & 1,
      });
    for (const transA of [0, 1])
      for (const transB of [0, 1]) {
        if (scope === "load" && transA !== transB) continue;
        const direct = transA;
        const wide = { direct, strideA: 45, strideB: 46, strideC: 47, transA, transB, alpha: -0.5, low: -0.5, high: 2 };
        yield gemmCall({ m: 13, n: 17, k: 21 }, next(), { ...wide, beta: 3, bias: randomFloats(17, seed) });
        yield gemmCall({ m: 5, n: 9, k: 6 }, next(), { transA, transB, batch: 2, stepB: 0, beta: 1 });
        if (scope === "load") continue;
        yield gemmCall({ m: 13, n: 21, k: 37 }, next(), { ...wide, bias: randomFloats(21, seed) });
        yield gemmCall({ m: 5, n: 9, k: 6 }, next(), { transA, transB, batch: 3 });
        for (const m of [1, 2, 3, 7, 12])
          yield gemmCall({ m, n: 13, k: 70 }, next(), { ...wide, strideA: 80, strideB: 81, direct: 1 });
        yield gemmCall({ m: 3, n: 10, k: 515 }, next(), { transA, transB, low: 0 });
        yield gemmCall({ m: 130, n: 12, k: 20 }, next(), { transA, transB });
        yield gemmCall({ m: 2, n: 2060, k: 3 }, next(), { transA, transB, bias: randomFloats(2060, seed) });
        yield gemmCall({ m: 4, n: 5, k: 0 }, next(), { transA, transB, direct, bias: randomFloats(5, seed), low: 0 });
      }
  },
  sample: () => gemmCall({ m: 96, n: 128, k: 256 }, 1, {}, false),
  scratch: ({ m, n, k }) => productScratch(m, n, k),
  work: (v) => (v.batch * v.m * v.n * v.k) / TERMS_PER_NANOSECOND,
  split: (v, parts) => {
    if (v.batch >= parts)
      return cut(v.batch, parts, 1).map(([start, batch]) => ({
        ...v,
        batch,
        a: v.a + start * v.stepA * FLOAT,
        b: v.b + start * v.stepB * FLOAT,
        c: v.c + start * v.stepC * FLOAT,
      }));
    if (v.direct || v.n >= v.m)
      return cut(v.n, parts, CUT).map(([start, n]) => ({
        ...v,
        n,
        b: v.b + start * (v.transB ? v.strideB : 1) * FLOAT,
        bias: v.bias && v.bias + start * FLOAT,
        c: v.c + start * FLOAT,
      }));
    return cut(v.m, parts, CUT).map(([start, m]) => ({
      ...v,
      m,
      a: v.a + start * (v.transA ? 1 : v.strideA) * FLOAT,
      c: v.c + start * v.strideC * FLOAT,
    }));
  },
};
