import type { Op, Values } from "../../op.ts";
import { doubleBound } from "../bounds.ts";
import { randomDoubles } from "../seeded.ts";

export const jacobi64Args = {
  w: "f64[] inout",
  v: "f64[] inout",
  turned: "i32[] out",
  n: "i32",
  m: "i32",
  k: "i32",
  noise: "f64",
} as const;
type Args = typeof jacobi64Args;

const call = (n: number, m: number, k: number, seed: number, w = randomDoubles(n * m, seed)): Values<Args> => ({
  w,
  v: randomDoubles(n * k, seed + 1),
  turned: new Int32Array(1),
  ...{ n, m, k, noise: 2 ** -90 },
});

/** A row is not turned against another by less than this, in units of the root of its length. */
export const LEAST_ANGLE = 2 ** -52;

/**
 * One sweep of one-sided Jacobi: turns each pair of rows of W, and of V with them, so that it is orthogonal. `turned` is how
 * many pairs were not orthogonal before.
 *
 *     zeta = (|w_j|^2 - |w_i|^2) / 2 w_i.w_j      t = sign(zeta) / (|zeta| + sqrt(1 + zeta^2))      c = 1 / sqrt(1 + t^2)
 *
 * w [n, m], v [n, k]. Pairs of rows whose squares are both up to `noise` are left alone, and pairs of which one is where
 * their angle is within it. Source: Hestenes, J. SIAM 6 (1958); Golub and Van Loan, Matrix Computations, 8.6.3.
 */
export const jacobi64: Op<Args> = {
  name: "jacobi64",
  args: jacobi64Args,
  lengths: ({ n, m, k }) => ({ w: n * m, v: n * k, turned: 1 }),
  // rotations keep norms, and angles are as good as the products that they come from: all rows share the largest's error
  tolerance: ({ w, v, n, m, k }) => {
    const size = (x: Float64Array) => Math.hypot(...x);
    const bound = (x: Float64Array) => new Float64Array(x.length).fill(doubleBound(ANGLE_ERROR * n * (m + k), size(x)));
    return { w: bound(w), v: bound(v), turned: [0] };
  },
  cases: function* (scope) {
    for (const [n, m, k] of scope === "load"
      ? ([[3, 5, 3]] as const)
      : ([
          [1, 4, 2],
          [2, 3, 2],
          [3, 7, 3],
          [5, 16, 5],
          [6, 33, 9],
          [9, 20, 9],
        ] as const))
      yield call(n, m, k, 10 * n);
    const diagonal = Float64Array.from({ length: 25 }, (_, at) => (at % 6 === 0 ? 2 ** -at : 0));
    yield call(5, 5, 5, 3, diagonal);
    yield call(4, 3, 4, 4, new Float64Array(12));
  },
  sample: () => call(32, 32, 32, 1),
};

/** How much an angle may magnify the error of what it comes from, in the cases. */
const ANGLE_ERROR = 64;
