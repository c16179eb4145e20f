import { type Pass, roundToHalf } from "@espalier/core";
import { allFinite } from "../grid/all-finite.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { ternaryRows } from "../grid/ternary.ts";
import { type RtnOptions, weightPass } from "./weight-pass.ts";

export type TernaryOptions = Omit<RtnOptions, "bits" | "symmetric" | "zeroPoint" | "clip" | "rounding" | "portable">;

const BITS = 2;

/**
 * Weights of three values, -α, 0 and α, in 2 bits: the projection of Ternary Weight Networks, without their training.
 *
 *     Δ = 0.7 mean|w|      t = sign(w) [|w| > Δ]      α = mean |w| over |w| > Δ
 *
 * α is of a channel, or of `blockSize` columns. The forms are those of `rtn` with 2 bits; sensitive layers keep 8.
 * Source: TWN, arXiv:1605.04711.
 */
export const ternary = ({ blockSize = "channel", ...options }: TernaryOptions = {}): Pass =>
  weightPass({
    name: "quant/ternary",
    options: { ...options, blockSize, bits: BITS },
    round:
      () =>
      (w, { rows, columns }, grid) => {
        if (grid.bits !== BITS) return quantizeRows(w, rows, columns, grid);
        const round = grid.scaleType === "float16" ? roundToHalf : Math.fround;
        return allFinite(w) ? ternaryRows(w, rows, columns, grid.blockSize, round) : undefined;
      },
  });
