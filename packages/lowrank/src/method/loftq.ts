import type { Pass } from "@espalier/core";
import { badOption } from "../errors.ts";
import { type CorrectOptions, correctPass } from "./correct-pass.ts";

export interface LoftqOptions extends CorrectOptions {
  /** Rounds of the alternation; the best of each layer is kept. */
  readonly rounds?: number;
  /**
   * What the quantizer gets first: W itself (A_0 B_0 = 0, as published), or W less its own best factors, which leaves a
   * smaller range to quantize where the singular values fall off.
   */
  readonly start?: "zero" | "svd";
}

const USUAL_ROUNDS = 5;

/**
 * Quantization and a low-rank correction, in turn, each of what the other leaves, without data.
 *
 *     Q_t = q(W - A_{t-1} B_{t-1})      A_t B_t = SVD_r(W - Q_t)
 *
 * ‖W - Q - AB‖ of what is kept never rises with rounds. The quantizer is any pass. Needs onnxruntime.
 * Sources: arXiv:2310.08659, algorithm 1, its factors kept as a correction and not trained further;
 * arXiv:2411.05007 for the other start.
 *
 * @throws EspalierError `BAD_OPTION` without `quantize`, for ranks that are none and fewer than one round
 */
export const loftq = ({ rounds = USUAL_ROUNDS, start = "zero", ...options }: LoftqOptions = {}): Pass => {
  if (!Number.isInteger(rounds) || rounds < 1)
    throw badOption("lowrank/loftq", `rounds is ${rounds}. Give a whole number of 1 or more.`);
  return correctPass<unknown>({ name: "lowrank/loftq", rounds, start, metric: () => ({}) }, options) as Pass;
};
