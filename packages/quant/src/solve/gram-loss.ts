import type { Rng } from "@espalier/core";
import { dampedCholesky, type Matrix, matmul, matrix } from "@espalier/core/linalg";

/** What an error of weights does to the output of a layer: d H dᵀ, H = XᵀX of its input. */
export interface GramLoss {
  readonly gram: Matrix;
  /** d H dᵀ of each row of D [rows, columns]. */
  losses(d: Matrix): Float64Array;
  /** D H, [rows, columns], or of a wide H an estimate of it that is right on average. */
  gradient(d: Matrix): Matrix;
}

/** Rows of a sketch, as many as a usual batch of samples; narrower matrices are multiplied as they are. */
const SKETCH = 48;

/**
 * The loss of a layer's output by its Gram matrix. Gradients of wide layers are taken on a sketch that is drawn anew each
 * time, in 2 · 48 / columns of the operations:
 *
 *     H = L Lᵀ    S = Z Lᵀ / √48, Z [48, columns] standard normal    E[SᵀS] = H    D H ≈ (D Sᵀ) S
 *
 * @param gram [columns, columns]
 */
export const gramLoss = (gram: Matrix, rng: Rng): GramLoss => {
  const n = gram.columns;
  const exact = n <= 2 * SKETCH;
  const factor = exact ? undefined : dampedCholesky(gram).l;
  const draw = (l: Matrix): Matrix => {
    const z = matrix(SKETCH, n);
    const size = 1 / Math.sqrt(SKETCH);
    for (let i = 0; i < z.data.length; i++) z.data[i] = rng.normal() * size;
    return matmul(z, l, { transposeB: true });
  };
  return {
    gram,
    losses(d) {
      const product = matmul(d, gram);
      const sums = new Float64Array(d.rows);
      for (let row = 0; row < d.rows; row++)
        for (let i = row * n; i < (row + 1) * n; i++) sums[row]! += d.data[i]! * product.data[i]!;
      return sums;
    },
    gradient(d) {
      if (!factor) return matmul(d, gram);
      const s = draw(factor);
      return matmul(matmul(d, s, { transposeB: true }), s);
    },
  };
};
