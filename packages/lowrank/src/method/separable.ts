import { type Pass, permute, sizeOf } from "@espalier/core";
import { matrix } from "@espalier/core/linalg";
import { largestUsefulRank } from "../factor/factors.ts";
import { weightedSvd } from "../factor/weighted-svd.ts";
import { rankOf } from "../rank/choose-ranks.ts";
import { type ConvOptions, convPass } from "./conv-pass.ts";

/**
 * Convolutions as a depthwise one, with `rank` kernels for each input channel, and one of 1 × 1:
 *
 *     W[o, i, :] ≈ sum over m <= rank of P[o, i, m] D[i, m, :]      parameters: rank · in (out + taps)
 *
 * by the singular values of each input channel's kernels, [out, taps]; rank 1 is the depthwise-separable form. The best
 * that the form can do. No data; convolutions in one group. Source: arXiv:1808.06866 (network decoupling).
 *
 * @throws EspalierError `BAD_OPTION` for options out of range
 */
export const separable = (options: ConvOptions = {}): Pass =>
  convPass(
    {
      name: "lowrank/separable",
      window: 1,
      rules: ["ratio", "rank", "energy"],
      decompose({ dims, data }, rule) {
        const [out, inputs, ...kernel] = dims;
        const taps = sizeOf(kernel);
        const useful = largestUsefulRank(out, taps);
        if (useful < 1) return `no rank saves anything in ${out} kernels of ${taps}`;
        const byInput = permute(data, [out, inputs, taps], [1, 0, 2]);
        const spectra = Array.from({ length: inputs }, (_, i) =>
          weightedSvd(matrix(out, taps, byInput.slice(i * out * taps, (i + 1) * out * taps)), {}, useful),
        );
        const errors = spectra[0].errors.map((_, r) => spectra.reduce((sum, each) => sum + each.errors[r], 0));
        const rank = rankOf({ m: out, n: taps, groups: inputs, errors }, rule);
        if (typeof rank === "string") return rank;
        const depth = new Float32Array(inputs * rank * taps);
        const points = new Float32Array(out * inputs * rank);
        spectra.forEach((spectral, i) => {
          const { up, down } = spectral.factors(rank);
          depth.set(down, i * rank * taps);
          for (let o = 0; o < out; o++) points.set(up.subarray(o * rank, (o + 1) * rank), (o * inputs + i) * rank);
        });
        return {
          form: `${rank} kernels a channel`,
          error: errors[rank],
          stages: [
            {
              dims: [inputs * rank, 1, ...kernel],
              values: depth,
              groups: inputs,
              axes: kernel.map((_, i) => i),
              suffix: "depth",
            },
            {
              dims: [out, inputs * rank, ...kernel.map(() => 1)],
              values: points,
              groups: 1,
              axes: [],
              suffix: "point",
            },
          ],
        };
      },
    },
    options,
  );
