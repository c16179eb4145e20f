import { type NormStats, normObserver, type Pass } from "@espalier/core";
import { type CorrectOptions, correctPass } from "./correct-pass.ts";

export interface LqerOptions extends CorrectOptions {
  /** How the error is weighed: by the mean size of the activations that it meets, or not at all. */
  readonly scale?: "activations" | "none";
}

const FLOOR = 1e-6;

/**
 * Quantization with a low-rank correction of what it did to each linear layer, weighed by activations.
 *
 *     W ≈ Q + SVD_r((W - Q) S) S⁻¹      S = diag(mean |x_j|)      y = x Qᵀ + (x downᵀ) upᵀ
 *
 * The quantizer is any pass (`quantize: rtn({ bits: 4 })`); the correction is two MatMul and an Add, which every runtime
 * runs. Needs calibration data, unless `scale` is "none", and onnxruntime. Source: arXiv:2402.02446, eq. 8 to 11.
 *
 * @throws EspalierError `BAD_OPTION` without `quantize`, and for ranks that are none
 */
export const lqer = ({ scale = "activations", ...options }: LqerOptions = {}): Pass<NormStats> =>
  correctPass<NormStats>(
    {
      name: "lowrank/lqer",
      rounds: 1,
      ...(scale === "activations" && { observe: normObserver() }),
      metric(_, stats) {
        if (scale === "none") return {};
        if (!stats || stats.n === 0) return "its input was not observed";
        const right = stats.absolutes.map((sum) => Math.max(sum / stats.n, FLOOR));
        return right.every(Number.isFinite) ? { right } : "its input is not finite";
      },
    },
    options,
  );
