import { type GramStats, gramObserver, gramOf, gramReason, type Pass } from "@espalier/core";
import { dampedCholesky } from "@espalier/core/linalg";
import { badOption } from "../errors.ts";
import { type FactorOptions, factorPass } from "./factor-pass.ts";
import { updateUps } from "./update-ups.ts";
import { isCounts, type RowCounts, tableMetric, withTables } from "./with-tables.ts";

export interface SvdLlmOptions extends FactorOptions {
  /** Added to the diagonal of each Gram matrix, as a share of its mean. */
  readonly damp?: number;
  /** Fit the second factors of linear layers to the outputs of the original on the inputs of the factored model. */
  readonly update?: boolean;
}

/** Damping that makes a Gram matrix of few samples definite and changes no rank that matters. */
const USUAL_DAMP = 1e-6;

/**
 * SVD of whitened weights: of all factors of a rank, those that change the layer's output least on calibration data.
 *
 *     XᵀX = L Lᵀ      W L ≈ U_r S_r V_rᵀ      W ≈ (U_r S_r^½)(S_r^½ V_rᵀ L⁻¹)      ‖(W - W_r) Xᵀ‖² = sum of the discarded s_i²
 *
 * Needs calibration data. Of tables, rows that are asked for often count more. Layers without a Gram matrix (beyond its
 * limit, or not observed) are left alone.
 * Source: arXiv:2403.07378, algorithm 1; damped by `damp` instead of by the smallest eigenvalue.
 *
 * @throws EspalierError `BAD_OPTION` for options out of range
 */
export const svdLlm = ({
  damp = USUAL_DAMP,
  update = false,
  ...options
}: SvdLlmOptions = {}): Pass<GramStats | RowCounts> => {
  if (!(damp >= 0 && damp <= 1)) throw badOption("lowrank/svd-llm", `damp is ${damp}. Give a share from 0 to 1.`);
  return factorPass<GramStats | RowCounts>(
    {
      name: "lowrank/svd-llm",
      observe: withTables(gramObserver()),
      ...(update && { finish: updateUps }),
      metric(layer, _, group, stats) {
        if (isCounts(stats)) return tableMetric(stats);
        if (!stats || stats.n === 0) return gramReason(layer) ?? "its input was not observed";
        if (!stats.gram.every(Number.isFinite)) return "its input is not finite";
        return { right: dampedCholesky(gramOf(stats, group), { damp }).l };
      },
    },
    options,
  );
};
