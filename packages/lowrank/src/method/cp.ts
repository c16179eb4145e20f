import type { Pass } from "@espalier/core";
import { transpose } from "@espalier/core/linalg";
import { type CpOptions, cp as decompose } from "../factor/cp.ts";
import type { Stage } from "../graph/put-stages.ts";
import { type ConvOptions, convPass } from "./conv-pass.ts";

export interface CpPassOptions extends Omit<ConvOptions, "energy">, CpOptions {}

/**
 * Convolutions as 1 × 1, a depthwise one along each kernel axis, and 1 × 1: a canonical polyadic decomposition.
 *
 *     W[o, i, h, w] ≈ sum over r of O[o, r] I[i, r] H[h, r] V[w, r]      parameters: rank (out + in + k + l)
 *
 * Alternating least squares from `restarts` random starts, the same for the same seed. The fewest parameters of all
 * forms here at a rank, and the coarsest. No data; convolutions in one group, wider than 1. Source: arXiv:1412.6553.
 *
 * @throws EspalierError `BAD_OPTION` for options out of range
 */
export const cp = ({ restarts, rounds, ...options }: CpPassOptions = {}): Pass =>
  convPass(
    {
      name: "lowrank/cp",
      window: 1,
      rules: ["ratio", "rank"],
      decompose(w, rule, rng) {
        if (rule.kind === "energy") return "ranks by energy are not to be had here";
        const [out, inputs, ...kernel] = w.dims;
        const each = w.dims.reduce((a, b) => a + b, 0);
        const rank =
          rule.kind === "rank" ? rule.rank : Math.max(1, Math.floor(((1 - rule.share) * w.data.length) / each));
        if (rank * each >= w.data.length)
          return `rank ${rank} would take ${rank * each} parameters for ${w.data.length}`;
        const { factors, error } = decompose(w, rank, rng, {
          ...(restarts !== undefined && { restarts }),
          ...(rounds !== undefined && { rounds }),
        });
        const ones = kernel.map(() => 1);
        const turned = (axis: number) => Float32Array.from(transpose(factors[axis]).data);
        const along = kernel.map(
          (length, axis): Stage => ({
            dims: [rank, 1, ...ones.map((one, i) => (i === axis ? length : one))],
            values: turned(axis + 2),
            groups: rank,
            axes: [axis],
            suffix: `axis${axis}`,
          }),
        );
        return {
          form: `rank ${rank}`,
          error,
          stages: [
            { dims: [rank, inputs, ...ones], values: turned(1), groups: 1, axes: [], suffix: "in" },
            ...along,
            {
              dims: [out, rank, ...ones],
              values: Float32Array.from(factors[0].data),
              groups: 1,
              axes: [],
              suffix: "out",
            },
          ],
        };
      },
    },
    options,
  );
