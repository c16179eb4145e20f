import type { Pass } from "@espalier/core";
import { allFinite } from "../grid/all-finite.ts";
import { fixedPointRows } from "../grid/fixed-point.ts";
import { type RtnOptions, weightPass } from "./weight-pass.ts";

export interface FixedPointOptions
  extends Omit<RtnOptions, "symmetric" | "zeroPoint" | "clip" | "rounding" | "portable"> {
  /** The point of each channel or block where its values put it, or one for the whole weight. */
  readonly perTensor?: boolean;
}

/**
 * Weights in fixed point Qm.n: scales are powers of two, so that integer hardware rescales by shifts alone.
 *
 *     w ≈ q * 2^-n      n = bits - 1 - ceil(log2 max|w|)
 *
 * The forms are those of `rtn`. Source: SPEC Q-18.
 */
export const fixedPoint = ({ perTensor = false, ...options }: FixedPointOptions = {}): Pass =>
  weightPass({
    name: "quant/fixed-point",
    options,
    round:
      () =>
      (w, { rows, columns }, { bits = 8, blockSize = columns }) =>
        allFinite(w) ? fixedPointRows(w, rows, columns, { bits, blockSize, perTensor }) : undefined,
  });
