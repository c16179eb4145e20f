import type { Layer, Pass } from "@espalier/core";
import { badOption } from "../errors.ts";
import { type FactorOptions, factorPass } from "./factor-pass.ts";

/** [out * in * kernel], mean of the squared gradient of each weight, in the order of `layer.weight.read()`. */
export type Fisher = ReadonlyMap<string, ArrayLike<number>> | ((layer: Layer) => ArrayLike<number> | undefined);

export interface FwsvdOptions extends FactorOptions {
  /** Fisher information of weights, by layer name or by a function; layers without it are left alone. */
  readonly fisher?: Fisher;
  /** Whether weights are summed up for each input or for each output: one of them must be, for a closed form. */
  readonly side?: "input" | "output";
}

/** Least weight, as a share of the mean: what is divided by must not vanish. */
const FLOOR = 1e-6;

/** sqrt of the Fisher information of each row or column of a group; undefined where it is not finite and positive. */
const weightsOf = (fisher: ArrayLike<number>, m: number, n: number, group: number, side: "input" | "output") => {
  const sums = new Float64Array(side === "input" ? n : m);
  for (let i = 0, at = group * m * n; i < m; i++)
    for (let j = 0; j < n; j++, at++) sums[side === "input" ? j : i] += fisher[at];
  const mean = sums.reduce((sum, value) => sum + value, 0) / sums.length;
  if (!(mean > 0 && Number.isFinite(mean)) || sums.some((value) => value < 0)) return undefined;
  return sums.map((value) => Math.sqrt(Math.max(value / mean, FLOOR)));
};

/**
 * SVD of weights scaled by their Fisher information, which is given: what a loss would lose by changing each.
 *
 *     I = diag(sqrt(sum over a row of E[(dL/dW)²]))      I W ≈ U_r S_r V_rᵀ      W ≈ (I⁻¹ U_r S_r) V_rᵀ
 *
 * Rows are inputs, as in the paper (x W), or outputs by `side`. Source: arXiv:2207.00112, eq. 4 to 6.
 *
 * @throws EspalierError `BAD_OPTION` without `fisher`, for as many numbers as a layer has not, and options out of range
 */
export const fwsvd = ({ fisher, side = "input", ...options }: FwsvdOptions = {}): Pass => {
  const name = "lowrank/fwsvd";
  if (fisher === undefined)
    throw badOption(name, "fisher is missing. Give the squared gradients of each layer, by name or by a function.");
  const valuesOf = (layer: Layer) => (typeof fisher === "function" ? fisher(layer) : fisher.get(layer.name));
  return factorPass<unknown>(
    {
      name,
      metric(layer, { m, n, groups }, group) {
        const values = valuesOf(layer);
        if (!values) return "no Fisher information was given for it";
        if (layer.node.opType === "ConvTranspose")
          return "Fisher information of transposed convolutions is not supported";
        if (values.length !== m * n * groups)
          throw badOption(
            name,
            `layer "${layer.name}" has ${m * n * groups} weights and ${values.length} Fisher values.`,
          );
        const weights = weightsOf(values, m, n, group, side);
        if (!weights) return "its Fisher information is zero, negative or not finite";
        return side === "input" ? { right: weights } : { left: weights };
      },
    },
    options,
  ) as Pass;
};
