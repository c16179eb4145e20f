import { EspalierError } from "../errors.ts";
import { rotate64 } from "../ops/rotate64/op.ts";
import { update64 } from "../ops/update64/op.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Block, type Matrix, numbersOf, part, withBlocks } from "./block.ts";
import { fillIdentity } from "./qr.ts";
import { applyBackward, reflector } from "./reflectors.ts";
import { transposed } from "./transpose.ts";

export interface Eigen {
  /** [n], largest first */
  readonly values: Float64Array;
  /** [n, n], column i belongs to value i; orthonormal */
  readonly vectors: Matrix;
}

const EPSILON = 2 ** -52;
/** Steps that one eigenvalue may take; it takes two on average. */
const MOST_STEPS = 60;

const notFinite = (where: string) =>
  new EspalierError("BAD_DATA", `hw-kernels/${where}`, "a is not finite. Check the data that it comes from.");

export const checkFinite = (where: string, { data }: { readonly data: Float64Array | Float32Array }): void => {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i]!)) throw notFinite(where);
};

/** One sum of products of doubles. */
const dot = (x: Float64Array, y: Float64Array, from: number) => {
  let sum = 0;
  for (let i = from; i < x.length; i++) sum += x[i]! * y[i]!;
  return sum;
};

/**
 * A = Q T Q', T tridiagonal, by Householder reflections; both triangles of `a` are used up, and `q` becomes Q'.
 * Source: Golub and Van Loan, Matrix Computations, algorithm 8.3.1; each step and the product of the next in one pass.
 */
const tridiagonalize = (runtime: Runtime, a: Block, q: Block) => {
  const n = a.rows;
  const [diagonal, beside, betas] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  withBlocks(
    runtime,
    [
      [n, n],
      [3, n],
    ],
    ([lines, vectors]) => {
      numbersOf(runtime, lines).fill(0);
      numbersOf(runtime, vectors).fill(0);
      const line = (row: number) => numbersOf(runtime, part(lines, row, 0, 1, n));
      const [zeros, w, p] = [0, 1, 2].map((row) => () => numbersOf(runtime, part(vectors, row, 0, 1, n))) as [
        () => Float64Array,
        () => Float64Array,
        () => Float64Array,
      ];
      // The pending update A -= v w' + w v', which the next pass carries out.
      let v = zeros;
      for (let k = 0; k < n; k++) {
        const column = numbersOf(runtime, part(a, k, 0, 1, n)).slice();
        const [vs, ws] = [v(), w()];
        for (let j = k; j < n; j++) column[j]! -= vs[k]! * ws[j]! + ws[k]! * vs[j]!;
        diagonal[k] = column[k]!;
        if (k === n - 1) break;
        const next = line(k);
        next.set(column.subarray(k + 1), k + 1);
        if (k === n - 2) {
          beside[k] = column[k + 1]!;
          next.fill(0);
          continue;
        }
        const { beta, head } = reflector(next, k + 1);
        betas[k] = beta;
        beside[k] = head;
        const from = k + 1;
        const tail = (numbers: Float64Array) => numbers.subarray(from);
        runtime.run(update64, {
          ...{ a: numbersOf(runtime, part(a, from, from, n - from, n - from)), n: n - from, stride: a.stride },
          ...{ v: tail(v()), w: tail(w()), u: tail(line(k)), p: tail(p()), from: 0, to: n - from },
        });
        const [u, product, weights] = [line(k), p(), w()];
        const half = (beta * beta * dot(u, product, from)) / 2;
        weights.fill(0);
        for (let i = from; i < n; i++) weights[i] = beta * product[i]! - half * u[i]!;
        v = () => line(k);
      }
      fillIdentity(runtime, q);
      // reflector k acts on elements from k + 1 on: those of a matrix without the first row and column
      if (n > 2) {
        const inner = { lines: part(lines, 0, 1, n - 2, n - 1), betas: betas.subarray(0, n - 2) };
        applyBackward(runtime, inner, part(q, 1, 1, n - 1, n - 1));
      }
    },
  );
  return { diagonal, beside };
};

/** One QL step with Wilkinson's shift: rotations in c and s. Returns the first row that they act on. Source: 8.3.5. */
const qlStep = (d: Float64Array, e: Float64Array, from: number, to: number, cs: Float64Array, ss: Float64Array) => {
  const ratio = (d[from + 1]! - d[from]!) / (2 * e[from]!);
  const root = Math.hypot(ratio, 1);
  let g = d[to]! - d[from]! + e[from]! / (ratio + (ratio < 0 ? -root : root));
  let [s, c, p] = [1, 1, 0];
  for (let i = to - 1; i >= from; i--) {
    const [f, b] = [s * e[i]!, c * e[i]!];
    const norm = Math.hypot(f, g);
    e[i + 1] = norm;
    if (norm === 0) {
      // the matrix falls apart here; the next step goes on with the parts
      d[i + 1]! -= p;
      e[to] = 0;
      return i + 1;
    }
    s = f / norm;
    c = g / norm;
    g = d[i + 1]! - p;
    const r = (d[i]! - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
    cs[i] = c;
    ss[i] = s;
  }
  d[from]! -= p;
  e[from] = g;
  e[to] = 0;
  return from;
};

/** Eigenvalues in d, and eigenvectors in the rows of `turned`, from a tridiagonal matrix. */
const diagonalize = (runtime: Runtime, d: Float64Array, e: Float64Array, turned: Block) => {
  const n = d.length;
  const [cs, ss] = [new Float64Array(n), new Float64Array(n)];
  for (let from = 0; from < n; from++)
    for (let steps = 0; ; steps++) {
      let to = from;
      while (to < n - 1 && Math.abs(e[to]!) > EPSILON * (Math.abs(d[to]!) + Math.abs(d[to + 1]!))) to++;
      if (to === from) break;
      if (steps === MOST_STEPS) throw notFinite("eigenSymmetric");
      const first = qlStep(d, e, from, to, cs, ss);
      if (first === to) continue;
      runtime.run(rotate64, {
        ...{ x: numbersOf(runtime, part(turned, first, 0, to - first + 1, turned.columns)) },
        ...{ c: cs.subarray(first, to), s: ss.subarray(first, to), count: to - first },
        ...{ columns: turned.columns, stride: turned.stride },
      });
    }
};

/** Eigenvalues, largest first, and vectors as rows. */
export const eigenRows = (runtime: Runtime, a: Block): { values: Float64Array; rows: Float64Array } => {
  const n = a.rows;
  return withBlocks(runtime, [[n, n]], ([q]) => {
    const { diagonal, beside } = tridiagonalize(runtime, a, q);
    diagonalize(runtime, diagonal, beside, q);
    const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => diagonal[j]! - diagonal[i]! || i - j);
    const found = numbersOf(runtime, q);
    const rows = new Float64Array(n * n);
    for (const [to, from] of order.entries()) rows.set(found.subarray(from * n, (from + 1) * n), to * n);
    return { values: Float64Array.from(order, (i) => diagonal[i]!), rows };
  });
};

export const eigenSymmetric = (runtime: Runtime, { rows: n, data }: Matrix): Eigen => {
  checkFinite("eigenSymmetric", { data });
  return withBlocks(runtime, [[n, n]], ([block]) => {
    const numbers = numbersOf(runtime, block);
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) {
        numbers[i * n + j] = data[i * n + j]!;
        numbers[j * n + i] = data[i * n + j]!;
      }
    const { values, rows } = eigenRows(runtime, block);
    return { values, vectors: { rows: n, columns: n, data: transposed(rows, n, n) } };
  });
};
