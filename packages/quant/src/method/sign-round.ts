import type { Pass } from "@espalier/core";
import { signRoundRows } from "../solve/sign-round.ts";
import { type GramRoundOptions, gramRoundPass } from "./gram-round.ts";

export interface SignRoundOptions extends GramRoundOptions {
  /** Steps for each layer. */
  readonly steps?: number;
  /** First step of offsets and clip ranges; 1 / steps where absent. */
  readonly learningRate?: number;
}

/**
 * SignRound, known as AutoRound: offsets of rounding and clip ranges of every block are learnt by signs of gradients, see
 * `signRoundRows`. Layers are solved one by one on what the rounded layers before them give, by the Gram matrix of their
 * input. Options, forms and what is left alone are those of `rtn`. Never above rounding to nearest in the output error of
 * a layer. Source: arXiv:2309.05516.
 */
export const signRound = ({ steps = 200, learningRate, bits = 4, ...options }: SignRoundOptions = {}): Pass =>
  gramRoundPass("quant/sign-round", { bits, ...options }, (w, shape, grid, gram, rng) =>
    signRoundRows(w, shape, grid, gram, { steps, ...(learningRate !== undefined && { learningRate }) }, rng),
  );
