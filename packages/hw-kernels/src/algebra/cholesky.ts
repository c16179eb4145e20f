import { factor64 } from "../ops/factor64/op.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Block, multiply, numbersOf, part } from "./block.ts";
import { half, solve } from "./triangular.ts";

const SMALL = 32;

/**
 * The lower triangle of A becomes L with L L' = A, in halves: A = [P .; Q R] gives L_P, Q L_P'^-1, and the factor of what
 * R is less the square of that. False where A is not positive definite; then it is left half done.
 */
export const factor = (runtime: Runtime, a: Block): boolean => {
  const n = a.rows;
  if (n <= SMALL) {
    const done = new Int32Array(1);
    runtime.run(factor64, { a: numbersOf(runtime, a), done, n, stride: a.stride });
    return done[0] === n;
  }
  const h = half(n);
  const [upper, below, lower] = [part(a, 0, 0, h, h), part(a, h, 0, n - h, h), part(a, h, h, n - h, n - h)];
  if (!factor(runtime, upper)) return false;
  solve(runtime, upper, below, { across: true });
  multiply(runtime, lower, below, below, { alpha: -1, transB: true, lower: true });
  return factor(runtime, lower);
};
