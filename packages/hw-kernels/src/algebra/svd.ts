import { jacobi64 } from "../ops/jacobi64/op.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Matrix, multiply, numbersOf, withBlocks } from "./block.ts";
import { checkFinite, eigenRows } from "./eigen.ts";
import { qr } from "./qr.ts";
import { transposed } from "./transpose.ts";

export interface Svd {
  /** [m, k], orthonormal columns */
  readonly u: Matrix;
  /** [k], largest first, none negative */
  readonly s: Float64Array;
  /** [n, k], orthonormal columns */
  readonly v: Matrix;
}

/** Left vectors as rows [n, m], right ones as rows [n, n]. */
interface SvdRows {
  readonly u: Float64Array;
  readonly s: Float64Array;
  readonly v: Float64Array;
}

const EPSILON = 2 ** -52;
/** After the start from eigenvectors, two or three sweeps do. */
const MOST_SWEEPS = 40;

const dot = (x: Float64Array, i: number, j: number, length: number) => {
  let sum = 0;
  for (let k = 0; k < length; k++) sum += x[i + k]! * x[j + k]!;
  return sum;
};

/** Rows of unit length from those of W; rows that are noise are made anew, orthogonal to all before. */
const normalized = (w: Float64Array, m: number, order: readonly number[], s: Float64Array, least: number) => {
  const u = new Float64Array(order.length * m);
  let next = 0;
  for (const [to, from] of order.entries()) {
    const at = to * m;
    if (s[to]! > least) {
      for (let k = 0; k < m; k++) u[at + k] = w[from * m + k]! / s[to]!;
      continue;
    }
    // a unit vector that the rows before do not span, of which some has at least the mean of what is left
    for (let size = 0; size === 0; next = (next + 1) % m) {
      u.fill(0, at, at + m);
      u[at + next] = 1;
      // Gram and Schmidt twice, which is enough
      for (let again = 0; again < 2; again++)
        for (let i = 0; i < to; i++) {
          const share = dot(u, i * m, at, m);
          for (let k = 0; k < m; k++) u[at + k]! -= share * u[i * m + k]!;
        }
      const left = Math.sqrt(dot(u, at, at, m));
      if (left * Math.sqrt(m) < 0.5) continue;
      size = left;
      for (let k = at; k < at + m; k++) u[k]! /= size;
    }
  }
  return u;
};

/** Of a matrix with no fewer rows than columns: eigenvectors of A'A bring A V to near orthogonal, Jacobi does the rest. */
const tallRows = (runtime: Runtime, { rows: m, columns: n, data }: Matrix): SvdRows =>
  withBlocks(
    runtime,
    [
      [m, n],
      [n, n],
      [n, m],
    ],
    ([a, v, w]) => {
      numbersOf(runtime, a).set(data);
      multiply(runtime, v, a, a, { transA: true, beta: 0 });
      const { rows } = eigenRows(runtime, v);
      numbersOf(runtime, v).set(rows);
      multiply(runtime, w, v, a, { transB: true, beta: 0 });
      const norms = () => {
        const numbers = numbersOf(runtime, w);
        return Float64Array.from({ length: n }, (_, i) => Math.sqrt(dot(numbers, i * m, i * m, m)));
      };
      const least = Math.max(...norms()) * EPSILON * m;
      const turned = Int32Array.of(1);
      for (let i = 0; i < MOST_SWEEPS && turned[0]! > 0; i++)
        runtime.run(jacobi64, {
          ...{ w: numbersOf(runtime, w), v: numbersOf(runtime, v), turned, n, m, k: n, noise: least * least },
        });
      const sizes = norms();
      const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => sizes[j]! - sizes[i]! || i - j);
      const s = Float64Array.from(order, (i) => sizes[i]!);
      const right = numbersOf(runtime, v);
      const sorted = new Float64Array(n * n);
      for (const [to, from] of order.entries()) sorted.set(right.subarray(from * n, (from + 1) * n), to * n);
      return { u: normalized(numbersOf(runtime, w), m, order, s, least), s, v: sorted };
    },
  );

/** How much taller than wide a matrix is that is brought to a square by QR first. */
const TALL = 1.5;

/** Of a matrix with no fewer rows than columns. */
const tallSvd = (runtime: Runtime, a: Matrix): Svd => {
  const n = a.columns;
  const tall = a.rows > TALL * n;
  const reduced = tall ? qr(runtime, a) : undefined;
  const { u, s, v } = tallRows(runtime, reduced?.r ?? a);
  const matrix = (rows: number, data: Float64Array): Matrix => ({ rows, columns: n, data });
  const right = matrix(n, transposed(v, n, n));
  if (!reduced) return { u: matrix(a.rows, transposed(u, n, a.rows)), s, v: right };
  return withBlocks(
    runtime,
    [
      [a.rows, n],
      [n, n],
      [a.rows, n],
    ],
    ([q, inner, left]) => {
      numbersOf(runtime, q).set(reduced.q.data);
      numbersOf(runtime, inner).set(u);
      multiply(runtime, left, q, inner, { transB: true, beta: 0 });
      return { u: matrix(a.rows, numbersOf(runtime, left).slice()), s, v: right };
    },
  );
};

export const svd = (runtime: Runtime, a: Matrix): Svd => {
  checkFinite("svd", a);
  let largest = 0;
  for (const value of a.data) largest = Math.max(largest, Math.abs(value));
  // a power of two near the largest number, so that squares neither overflow nor vanish
  const scale = largest > 0 ? 2 ** Math.floor(Math.log2(largest)) : 1;
  const data = a.data.map((value) => value / scale);
  const wide = a.rows < a.columns;
  const { u, s, v } = tallSvd(
    runtime,
    wide ? { rows: a.columns, columns: a.rows, data: transposed(data, a.rows, a.columns) } : { ...a, data },
  );
  const unscaled = s.map((value) => value * scale);
  return wide ? { u: v, s: unscaled, v: u } : { u, s: unscaled, v };
};
