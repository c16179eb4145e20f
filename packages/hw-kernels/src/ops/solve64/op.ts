import type { Op, Values } from "../../op.ts";
import { doubleBound } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomDoubles } from "../seeded.ts";
import { solve64Args } from "./args.ts";
import { triangleSteps } from "./reference.ts";

type Args = typeof solve64Args;

/** A lower triangle with a dominant diagonal, other numbers above it. */
const triangle = (n: number, stride: number, seed: number) => {
  const l = randomDoubles(n * stride, seed);
  for (let i = 0; i < n; i++) l[i * stride + i]! += i % 2 ? 3 : -3;
  return l;
};

const call = (n: number, count: number, seed: number, more: Partial<Values<Args>> = {}): Values<Args> => {
  const { across = 0, transposed = 0 } = more;
  const sizes = { n, count, transposed, across, strideL: n, strideX: across ? n : count, ...more };
  return {
    ...sizes,
    l: triangle(n, sizes.strideL, seed),
    x: randomDoubles((across ? count : n) * sizes.strideX, seed + 1, true),
  };
};

const DOUBLE = 8;
const WIDTH = 8;
const TERMS_PER_NANOSECOND = 2;

/**
 * Triangular solves by substitution, in place: of small triangles, as what lies outside of blocks is done by products.
 *
 *     across 0, x [n, count]:  L X = B, or L' X = B where `transposed`
 *     across 1, x [count, n]:  X L' = B, or X L = B where `transposed`
 *
 * l [n, n], a lower triangle; what stands above its diagonal is not read. x holds B and becomes X. Rows lie strideL and
 * strideX elements apart.
 */
export const solve64: Op<Args> = {
  name: "solve64",
  args: solve64Args,
  lengths: ({ n, count, strideL, strideX, across }) => {
    const [rows, columns] = across ? [count, n] : [n, count];
    return {
      l: n ? (n - 1) * strideL + n : 0,
      x: rows && columns ? (rows - 1) * strideX + columns : 0,
    };
  },
  // |x - x^| <= n epsilon M(L)^-1 |L| |x|, M(L) the comparison matrix. Source: Higham, Accuracy and Stability, 8.10.
  tolerance: (v) => {
    const bounds = new Float64Array(v.x.length);
    const { at, l } = triangleSteps(v);
    const solution = new Float64Array(v.n);
    const growth = new Float64Array(v.n);
    for (let c = 0; c < v.count; c++)
      for (let i = 0; i < v.n; i++) {
        let [rest, size, grown] = [v.x[at(i, c)]!, 0, 0];
        for (let j = 0; j < i; j++) {
          rest -= l(i, j) * solution[j]!;
          size += Math.abs(l(i, j) * solution[j]!);
          grown += Math.abs(l(i, j)) * growth[j]!;
        }
        solution[i] = rest / l(i, i);
        growth[i] = (size + Math.abs(rest) + grown) / Math.abs(l(i, i));
        bounds[at(i, c)] = doubleBound(v.n + 1, growth[i]!);
      }
    return { x: bounds };
  },
  cases: function* (scope) {
    let seed = 1;
    for (const n of scope === "load" ? [1, 6] : [1, 2, 3, 5, 8, 17, 32])
      for (const count of scope === "load" ? [9] : [1, 2, 7, 8, 9, 17, 33])
        for (const transposed of [0, 1])
          for (const across of [0, 1]) {
            seed += 3;
            const wide = seed % 2 ? { strideL: n + 3, strideX: (across ? n : count) + 2 } : {};
            yield call(n, count, seed, { transposed, across, ...wide });
          }
  },
  sample: () => call(32, 256, 1, { across: 1 }),
  scratch: ({ n }) => n * WIDTH * DOUBLE,
  work: ({ n, count }) => (n * n * count) / 2 / TERMS_PER_NANOSECOND,
  split: (v, parts) =>
    cut(v.count, parts, WIDTH).map(([start, count]) => ({
      ...v,
      count,
      x: v.x + start * (v.across ? v.strideX : 1) * DOUBLE,
    })),
};
