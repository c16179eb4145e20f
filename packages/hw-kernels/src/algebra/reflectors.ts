import { reflect64 } from "../ops/reflect64/op.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Block, multiply, numbersOf, part, withBlocks } from "./block.ts";

/** Reflectors that are applied together, by products. */
const TOGETHER = 32;

/** Householder reflections I - beta_k v_k v_k', k from 0: v_k is row k of `lines`, zeros before its first element. */
export interface Reflectors {
  readonly lines: Block;
  readonly betas: Float64Array;
}

/** Writes the reflector that takes x to [.., head, 0, 0, ..] from element `at` on over x. Returns beta and the head. */
export const reflector = (x: Float64Array, at: number): { beta: number; head: number } => {
  let squares = 0;
  for (let i = at; i < x.length; i++) squares += x[i]! * x[i]!;
  const norm = Math.sqrt(squares);
  if (norm === 0) return { beta: 0, head: 0 };
  const first = x[at]!;
  const head = first > 0 ? -norm : norm;
  x[at] = first - head;
  return { beta: 1 / (norm * (norm + Math.abs(first))), head };
};

/** T of H_0 H_1 .. = I - V T V': upper, T[i, i] = beta_i, T[.., i] = -beta_i T[.., ..] V' v_i. Source: SIAM J. Sci. Stat. Comput. 10 (1989). */
const blockFactor = (runtime: Runtime, v: Block, betas: Float64Array, t: Block) => {
  const size = v.rows;
  multiply(runtime, t, v, v, { transB: true, beta: 0 });
  const numbers = numbersOf(runtime, t);
  const at = (i: number, j: number) => i * t.stride + j;
  for (let i = 0; i < size; i++) {
    const column = Array.from({ length: i }, (_, row) => {
      let sum = 0;
      for (let k = row; k < i; k++) sum += numbers[at(row, k)]! * numbers[at(i, k)]!;
      return -betas[i]! * sum;
    });
    for (const [row, value] of column.entries()) numbers[at(row, i)] = value;
    numbers[at(i, i)] = betas[i]!;
  }
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) numbers[at(i, j)] = 0;
};

/** Each line of x by reflectors `from` to `to`: x = H_to-1 .. H_from x, or H_from .. H_to-1 x where `backward`. */
const applyBlock = (runtime: Runtime, all: Reflectors, from: number, to: number, x: Block, backward: boolean) => {
  const [size, rest] = [to - from, x.columns - from];
  if (x.rows === 0) return;
  const v = part(all.lines, from, from, size, rest);
  const target = part(x, 0, from, x.rows, rest);
  withBlocks(
    runtime,
    [
      [size, size],
      [x.rows, size],
      [x.rows, size],
    ],
    ([t, products, factors]) => {
      blockFactor(runtime, v, all.betas.subarray(from, to), t);
      multiply(runtime, products, target, v, { transB: true, beta: 0 });
      multiply(runtime, factors, products, t, { transB: backward, beta: 0 });
      multiply(runtime, target, factors, v, { alpha: -1 });
    },
  );
};

/** Each line of x becomes H_0 H_1 .. x. */
export const applyBackward = (runtime: Runtime, all: Reflectors, x: Block): void => {
  const count = all.betas.length;
  for (let from = Math.floor((count - 1) / TOGETHER) * TOGETHER; from >= 0; from -= TOGETHER)
    applyBlock(runtime, all, from, Math.min(from + TOGETHER, count), x, true);
};

/**
 * QR by reflections, of a matrix whose columns are the lines of x [n, m]: x becomes R', and row k of `lines`
 * [min(m, n), m] the reflector of column k. Source: Golub and Van Loan, Matrix Computations, 5.2.3.
 */
export const reduceLines = (runtime: Runtime, x: Block, lines: Block): Reflectors => {
  const [n, m, rank] = [x.rows, x.columns, lines.rows];
  const reflectors = { lines, betas: new Float64Array(rank) };
  numbersOf(runtime, lines).fill(0);
  for (let from = 0; from < rank; from += TOGETHER) {
    const to = Math.min(from + TOGETHER, rank);
    for (let k = from; k < to; k++) {
      const line = numbersOf(runtime, part(x, k, 0, 1, m));
      const v = numbersOf(runtime, part(lines, k, 0, 1, m));
      v.set(line.subarray(k), k);
      const { beta, head } = reflector(v, k);
      reflectors.betas[k] = beta;
      line.fill(0, k);
      line[k] = head;
      if (beta === 0 || k + 1 === to) continue;
      runtime.run(reflect64, {
        ...{ v: v.subarray(k), x: numbersOf(runtime, part(x, k + 1, k, to - k - 1, m - k)) },
        ...{ n: m - k, count: to - k - 1, stride: x.stride, beta },
      });
    }
    applyBlock(runtime, reflectors, from, to, part(x, to, 0, n - to, m), false);
  }
  return reflectors;
};
