import { solve64 } from "../ops/solve64/op.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Block, multiply, numbersOf, part } from "./block.ts";

/** Triangles up to so many rows are gone through one row at a time; what lies outside is done by products. */
const SMALL = 32;

/** About half of n, a multiple of SMALL. */
export const half = (n: number): number => Math.ceil(n / 2 / SMALL) * SMALL;

export interface SolveOptions {
  /** L' in place of L. */
  readonly transposed?: boolean;
  /** X stands left: X L' = B, or X L = B where transposed. */
  readonly across?: boolean;
}

/**
 * Solves for X, which holds B before, by a lower triangle L in halves:
 *
 *     L X = B     L' X = B (transposed)     X L' = B (across)     X L = B (both)
 */
export const solve = (runtime: Runtime, l: Block, x: Block, options: SolveOptions = {}): void => {
  const { transposed = false, across = false } = options;
  const n = l.rows;
  const count = across ? x.rows : x.columns;
  if (n === 0 || count === 0) return;
  if (n <= SMALL) {
    runtime.run(solve64, {
      ...{ l: numbersOf(runtime, l), x: numbersOf(runtime, x), n, count },
      ...{ strideL: l.stride, strideX: x.stride, transposed: Number(transposed), across: Number(across) },
    });
    return;
  }
  const h = half(n);
  const rest = n - h;
  const [upper, lower] = [part(l, 0, 0, h, h), part(l, h, h, rest, rest)];
  const below = part(l, h, 0, rest, h);
  const [first, second] = across
    ? [part(x, 0, 0, count, h), part(x, 0, h, count, rest)]
    : [part(x, 0, 0, h, count), part(x, h, 0, rest, count)];
  const less = { alpha: -1 };
  if (transposed) {
    solve(runtime, lower, second, options);
    if (across) multiply(runtime, first, second, below, less);
    else multiply(runtime, first, below, second, { ...less, transA: true });
    solve(runtime, upper, first, options);
  } else {
    solve(runtime, upper, first, options);
    if (across) multiply(runtime, second, first, below, { ...less, transB: true });
    else multiply(runtime, second, below, first, less);
    solve(runtime, lower, second, options);
  }
};

/** L becomes its inverse, in the lower triangle. L = [P 0; Q R] has the inverse [P^-1 0; -R^-1 Q P^-1, R^-1]. */
export const invert = (runtime: Runtime, l: Block, identity: Block): void => {
  const n = l.rows;
  if (n === 0) return;
  if (n <= SMALL) {
    const inverse = part(identity, 0, 0, n, n);
    const numbers = numbersOf(runtime, inverse);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) numbers[i * inverse.stride + j] = i === j ? 1 : 0;
    solve(runtime, l, inverse);
    const [from, to] = [numbersOf(runtime, inverse), numbersOf(runtime, l)];
    for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) to[i * l.stride + j] = from[i * inverse.stride + j]!;
    return;
  }
  const h = half(n);
  const [upper, lower] = [part(l, 0, 0, h, h), part(l, h, h, n - h, n - h)];
  const below = part(l, h, 0, n - h, h);
  const numbers = numbersOf(runtime, below);
  for (let i = 0; i < n - h; i++) for (let j = 0; j < h; j++) numbers[i * l.stride + j]! *= -1;
  solve(runtime, lower, below);
  solve(runtime, upper, below, { across: true, transposed: true });
  invert(runtime, upper, identity);
  invert(runtime, lower, identity);
};

/** Rows that `invert` needs beside the triangle, and as many columns. */
export const INVERT_ROWS = SMALL;
