import { type Pass, permute, sizeOf } from "@espalier/core";
import { matrix } from "@espalier/core/linalg";
import { largestUsefulRank } from "../factor/factors.ts";
import { weightedSvd } from "../factor/weighted-svd.ts";
import { rankOf } from "../rank/choose-ranks.ts";
import { type ConvOptions, convPass } from "./conv-pass.ts";

/**
 * Convolutions k × l as k × 1 and then 1 × l, by the singular values of the weight as [in · k, l · out]:
 *
 *     W[o, i, h, w] ≈ sum over r of A[i, h, r] B[r, w, o]      parameters: rank (in · k + l · out)
 *
 * The best that two such convolutions can do, and exact at rank 1 for separable kernels. No data; convolutions in one
 * group with two kernel axes longer than 1. Source: arXiv:1405.3866, scheme 2; rank as in `svd`.
 *
 * @throws EspalierError `BAD_OPTION` for options out of range
 */
export const spatial = (options: ConvOptions = {}): Pass =>
  convPass(
    {
      name: "lowrank/spatial",
      window: 2,
      rules: ["ratio", "rank", "energy"],
      decompose({ dims, data }, rule) {
        const [out, inputs, height, ...widths] = dims;
        const width = sizeOf(widths);
        const [m, n] = [inputs * height, width * out];
        const useful = largestUsefulRank(m, n);
        const turned = matrix(m, n, permute(data, [out, m, width], [1, 2, 0]));
        const spectral = weightedSvd(turned, {}, useful);
        const rank = rankOf({ m, n, groups: 1, errors: spectral.errors }, rule);
        if (typeof rank === "string") return rank;
        const { up, down } = spectral.factors(rank);
        const ones = widths.map(() => 1);
        return {
          form: `rank ${rank} of ${Math.min(m, n)}`,
          error: spectral.errors[rank],
          stages: [
            {
              dims: [rank, inputs, height, ...ones],
              values: permute(up, [m, rank], [1, 0]),
              groups: 1,
              axes: [0],
              suffix: "column",
            },
            {
              dims: [out, rank, 1, ...widths],
              values: permute(down, [rank, width, out], [2, 0, 1]),
              groups: 1,
              axes: widths.map((_, i) => i + 1),
              suffix: "row",
            },
          ],
        };
      },
    },
    options,
  );
