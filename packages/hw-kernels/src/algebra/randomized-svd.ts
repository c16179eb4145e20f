import { EspalierError } from "../errors.ts";
import { gemm } from "../ops/gemm/op.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Block, type Matrix, multiply, numbersOf, part, withBlocks } from "./block.ts";
import { factor } from "./cholesky.ts";
import { checkFinite } from "./eigen.ts";
import { qr } from "./qr.ts";
import { type Svd, svd } from "./svd.ts";
import { transposed } from "./transpose.ts";
import { solve } from "./triangular.ts";

/** A matrix of floats or doubles. */
export interface AnyMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array | Float32Array;
}

export interface RandomizedOptions {
  /** Directions beyond `rank` that are tried. */
  readonly oversample?: number;
  /** Products with A A' that turn the directions towards the large singular values. */
  readonly powers?: number;
}

export interface RandomizedSvd extends Svd {
  /** ‖A - U diag(s) V'‖ (Frobenius) of the factors returned: computed, not estimated. */
  readonly error: number;
  /** ‖A - Q Q'A‖ (Frobenius), what the range that was searched does not hold: error² <= best error² + residual². */
  readonly residual: number;
}

/** Normal random numbers. */
export interface Normals {
  normal(): number;
}

/** Least ratio of the diagonal of a factor at which a second pass makes the columns orthonormal to the last bits. */
const LEAST_RATIO = 1e-5;

/**
 * Columns of x [m, n] become orthonormal with the same span: x L'^-1 with L L' = x'x, twice; by reflections where that
 * is too near to singular. Returns R with x = q R. Source: Yamamoto et al., ETNA 44 (2015), CholeskyQR2.
 */
const orthonormalize = (runtime: Runtime, x: Block, passes: number): Matrix => {
  const n = x.columns;
  const householder = (): Matrix => {
    const { q, r } = qr(runtime, { rows: x.rows, columns: n, data: numbersOf(runtime, x).slice() });
    numbersOf(runtime, x).set(q.data);
    return r;
  };
  return withBlocks(
    runtime,
    [
      [n, n],
      [n, n],
    ],
    ([l, r]) => {
      const before = numbersOf(runtime, x).slice();
      for (let pass = 0; pass < passes; pass++) {
        multiply(runtime, l, x, x, { transA: true, beta: 0, lower: true });
        const sizes = () => Array.from({ length: n }, (_, i) => numbersOf(runtime, l)[i * n + i]!);
        if (!factor(runtime, l) || Math.min(...sizes()) < LEAST_RATIO * Math.max(...sizes())) {
          numbersOf(runtime, x).set(before);
          return householder();
        }
        const numbers = numbersOf(runtime, l);
        for (let i = 0; i < n; i++) numbers.fill(0, i * n + i + 1, (i + 1) * n);
        solve(runtime, l, x, { across: true });
        if (pass === 0) numbersOf(runtime, r).set(transposed(numbersOf(runtime, l), n, n));
        else {
          const first = numbersOf(runtime, r).slice();
          withBlocks(runtime, [[n, n]], ([copy]) => {
            numbersOf(runtime, copy).set(first);
            multiply(runtime, r, l, copy, { transA: true, beta: 0 });
          });
        }
      }
      return { rows: n, columns: n, data: numbersOf(runtime, r).slice() };
    },
  );
};

/** What sums of squares may be off by, as a share: of doubles times the root of their number; of products of floats. */
const DOUBLE_ROUNDING = 2 ** -52;
const FLOAT_ROUNDING = 2 ** -30;

/** Products y = A x or A' x, in the precision of A. */
const productsWith = (
  runtime: Runtime,
  a: AnyMatrix,
  work: (times: (x: Block, y: Block, transA: boolean) => void) => void,
) => {
  if (a.data instanceof Float64Array) {
    const { data } = a;
    withBlocks(runtime, [[a.rows, a.columns]], ([block]) => {
      numbersOf(runtime, block).set(data);
      work((x, y, transA) => multiply(runtime, y, block, x, { transA, beta: 0 }));
    });
    return;
  }
  const { arena } = runtime;
  const address = arena.allocate(a.data.byteLength);
  const floats = () => new Float32Array(arena.memory.buffer, address, a.data.length);
  floats().set(a.data);
  try {
    work((x, y, transA) => {
      const c = new Float32Array(y.rows * y.columns);
      const [m, n, k] = [y.rows, y.columns, x.rows];
      runtime.run(gemm, {
        ...{ b: Float32Array.from(numbersOf(runtime, x)), bias: new Float32Array(), c, a: floats() },
        ...{ m, n, k, strideA: a.columns, strideB: n, strideC: n, transA: Number(transA), transB: 0 },
        ...{ alpha: 1, beta: 0, low: -Infinity, high: Infinity, batch: 1, stepA: 0, stepB: 0, stepC: 0, direct: 0 },
      });
      numbersOf(runtime, y).set(c);
    });
  } finally {
    arena.free(address);
  }
};

const squaredNorm = (data: Float64Array | Float32Array) => {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]! * data[i]!;
  return sum;
};

const leftColumns = ({ rows, columns, data }: Matrix, count: number): Matrix => {
  const kept = new Float64Array(rows * count);
  for (let i = 0; i < rows; i++) kept.set(data.subarray(i * columns, i * columns + count), i * count);
  return { rows, columns: count, data: kept };
};

export const randomizedSvd = (
  runtime: Runtime,
  a: AnyMatrix,
  rank: number,
  rng: Normals,
  { oversample = 16, powers = 2 }: RandomizedOptions = {},
): RandomizedSvd => {
  const [m, n] = [a.rows, a.columns];
  const least = Math.min(m, n);
  if (!Number.isInteger(rank) || rank < 1 || rank > least)
    throw new EspalierError("BAD_OPTION", "hw-kernels/randomizedSvd", `rank is ${rank}. Give 1 to ${least}.`);
  checkFinite("randomizedSvd", a);
  const total = squaredNorm(a.data);
  const width = Math.min(least, rank + oversample);
  return withBlocks(
    runtime,
    [
      [m, width],
      [n, width],
    ],
    ([left, right]) => {
      const start = numbersOf(runtime, right);
      for (let i = 0; i < start.length; i++) start[i] = rng.normal();
      productsWith(runtime, a, (times) => {
        times(right, left, false);
        for (let i = 0; i < powers; i++) {
          orthonormalize(runtime, left, 1);
          times(left, right, true);
          orthonormalize(runtime, right, 1);
          times(right, left, false);
        }
        orthonormalize(runtime, left, 2);
        // A'Q, whose singular values are those of Q'A
        times(left, right, true);
      });
      const held = squaredNorm(numbersOf(runtime, right));
      const r = orthonormalize(runtime, right, 2);
      const inner = svd(runtime, r);
      const s = inner.s.slice(0, rank);
      const kept = squaredNorm(s);
      // the rounding of the sums themselves, so that a difference of nearly equal numbers is not taken for zero
      const rounding = total * (a.data instanceof Float64Array ? DOUBLE_ROUNDING * Math.sqrt(m * n) : FLOAT_ROUNDING);
      // A' Q = Qr R, R = Ur S Vr': A = Q Vr S (Qr Ur)'
      const [u, v] = [
        [left, inner.v],
        [right, inner.u],
      ].map(([basis, turn]) => {
        const [q, matrix] = [basis as Block, leftColumns(turn as Matrix, rank)];
        return withBlocks(
          runtime,
          [
            [width, rank],
            [q.rows, rank],
          ],
          ([factors, product]) => {
            numbersOf(runtime, factors).set(matrix.data);
            multiply(runtime, product, part(q, 0, 0, q.rows, width), factors, { beta: 0 });
            return { rows: q.rows, columns: rank, data: numbersOf(runtime, product).slice() };
          },
        );
      }) as [Matrix, Matrix];
      return {
        ...{ u, s, v },
        error: Math.sqrt(Math.max(total - kept, 0) + rounding),
        residual: Math.sqrt(Math.max(total - held, 0) + rounding),
      };
    },
  );
};
