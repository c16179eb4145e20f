import { type GramStats, gramObserver, gramOf, gramReason, type Pass } from "@espalier/core";
import { dampedCholesky } from "@espalier/core/linalg";
import { badOption } from "../errors.ts";
import { type FactorOptions, factorPass } from "./factor-pass.ts";

export interface SvdLlmOptions extends FactorOptions {
  /** Added to the diagonal of each Gram matrix, as a share of its mean. */
  readonly damp?: number;
}

/** Damping that makes a Gram matrix of few samples definite and changes no rank that matters. */
const USUAL_DAMP = 1e-6;

/**
 * SVD of whitened weights: of all factors of a rank, those that change the layer's output least on calibration data.
 *
 *     XᵀX = L Lᵀ      W L ≈ U_r S_r V_rᵀ      W ≈ (U_r S_r^½)(S_r^½ V_rᵀ L⁻¹)      ‖(W - W_r) Xᵀ‖² = sum of the discarded s_i²
 *
 * Needs calibration data. Layers without a Gram matrix (tables, and those beyond its limit) are left alone.
 * Source: arXiv:2403.07378, algorithm 1; damped by `damp` instead of by the smallest eigenvalue.
 *
 * @throws EspalierError `BAD_OPTION` for options out of range
 */
export const svdLlm = ({ damp = USUAL_DAMP, ...options }: SvdLlmOptions = {}): Pass<GramStats> => {
  if (!(damp >= 0 && damp <= 1)) throw badOption("lowrank/svd-llm", `damp is ${damp}. Give a share from 0 to 1.`);
  return factorPass<GramStats>(
    {
      name: "lowrank/svd-llm",
      observe: gramObserver(),
      metric(layer, _, group, stats) {
        if (!stats || stats.n === 0) return gramReason(layer) ?? "its input was not observed";
        if (!stats.gram.every(Number.isFinite)) return "its input is not finite";
        return { right: dampedCholesky(gramOf(stats, group), { damp }).l };
      },
    },
    options,
  );
};
