import { type NormStats, normObserver, type Pass } from "@espalier/core";
import { badOption } from "../errors.ts";
import { type FactorOptions, factorPass } from "./factor-pass.ts";
import { isCounts, type RowCounts, tableMetric, withTables } from "./with-tables.ts";

export interface AsvdOptions extends FactorOptions {
  /** How much the sizes of activations count: 0 is `svd`, 1 is their size itself. */
  readonly alpha?: number;
  /** The size of an input column: the mean or the maximum of |x|. */
  readonly size?: "mean" | "max";
}

/** Added to the sizes, so that columns that are never used can be divided by. Source: hahnyuan/ASVD4LLM, svd_linear.py. */
const FLOOR = 1e-6;

/**
 * SVD of weights scaled by the sizes of the activations that they meet.
 *
 *     S = diag(mean |x_j|^alpha)      W S ≈ U_r S_r V_rᵀ      W ≈ U_r S_r (V_rᵀ S⁻¹)
 *
 * Needs calibration data. Of tables, rows that are asked for often count more. Layers
 * whose input was not observed are left alone.
 * Source: arXiv:2312.05821.
 *
 * @throws EspalierError `BAD_OPTION` for options out of range
 */
export const asvd = ({ alpha = 0.5, size = "mean", ...options }: AsvdOptions = {}): Pass<NormStats | RowCounts> => {
  if (!(alpha >= 0 && alpha <= 4)) throw badOption("lowrank/asvd", `alpha is ${alpha}. Give a number from 0 to 4.`);
  return factorPass<NormStats | RowCounts>(
    {
      name: "lowrank/asvd",
      observe: withTables(normObserver()),
      metric(_, { n }, group, stats) {
        if (isCounts(stats)) return tableMetric(stats);
        if (!stats || stats.n === 0) return "its input was not observed";
        const right = Float64Array.from({ length: n }, (_x, j) => {
          const at = group * n + j;
          return Math.max(size === "mean" ? stats.absolutes[at] / stats.n : stats.largest[at], FLOOR) ** alpha;
        });
        return right.every(Number.isFinite) ? { right } : "its input is not finite";
      },
    },
    options,
  );
};
