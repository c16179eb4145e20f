import type { Pass } from "@espalier/core";
import { type FactorOptions, factorPass } from "./factor-pass.ts";

/**
 * Truncated singular value decomposition of weights: two layers of `rank` in place of one, no data.
 *
 *     W ≈ (U_r S_r^½)(S_r^½ V_rᵀ)      rank = (1 - ratio) m n / (m + n)      ‖W - W_r‖² = sum of the discarded s_i²
 *
 * MatMul and Gemm, convolutions of any kind ([out, in × kernel], each group by itself), and tables of embeddings. A
 * layer is factored only where that takes fewer parameters; the others are reported with the reason.
 *
 * @throws EspalierError `BAD_OPTION` for options out of range, and a rank above that of every layer
 */
export const svd = (options: FactorOptions = {}): Pass =>
  factorPass({ name: "lowrank/svd", metric: () => ({}) }, options) as Pass;
