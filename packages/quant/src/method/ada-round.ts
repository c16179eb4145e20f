import type { Pass } from "@espalier/core";
import { adaRoundRows } from "../solve/ada-round.ts";
import { type GramRoundOptions, gramRoundPass } from "./gram-round.ts";

export interface AdaRoundOptions extends GramRoundOptions {
  /** Steps of Adam for each layer. */
  readonly steps?: number;
  readonly learningRate?: number;
  /** Weight of the regularizer that drives each weight to one of its two codes. */
  readonly regularization?: number;
}

/**
 * AdaRound: each weight goes to the code below or above it so that the output of its layer changes least on calibration
 * data, see `adaRoundRows`. Layers are solved one by one on what the rounded layers before them give, by the Gram matrix
 * of their input; no samples are kept. Options, forms and what is left alone are those of `rtn`, scales by `clip: "mse"`.
 * Never above rounding to nearest in the output error of a layer. Source: arXiv:2004.10568.
 */
export const adaRound = ({
  steps = 500,
  learningRate = 0.05,
  regularization = 10,
  bits = 4,
  clip = "mse",
  ...options
}: AdaRoundOptions = {}): Pass =>
  gramRoundPass(
    "quant/ada-round",
    { bits, clip, ...options },
    (w, shape, grid, gram, rng) =>
      adaRoundRows(w, shape, grid, gram, { steps, learningRate, regularization }, rng).grid,
  );
