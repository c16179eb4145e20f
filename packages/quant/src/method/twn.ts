import type { Pass } from "@espalier/core";
import { type Coded, throughCodes } from "../training/through.ts";
import type { TrainQuantOptions } from "../training/train-quantized.ts";

export type TwnOptions = TrainQuantOptions;

/** Source: arXiv:1605.04711, eq. 6. */
const THRESHOLD = 0.7;

/** -1, 0 or 1: beyond 0.7 mean|w|, and the mean size of those beyond as their factor, the best for these codes. */
export const ternaryCodes = (w: Float32Array): Coded => {
  const limit = (THRESHOLD * w.reduce((sum, value) => sum + Math.abs(value), 0)) / w.length;
  let [sum, count] = [0, 0];
  const codes = Int8Array.from(w, (value) => {
    if (Math.abs(value) <= limit) return 0;
    sum += Math.abs(value);
    count++;
    return Math.sign(value);
  });
  return { codes, step: Math.fround(sum / Math.max(1, count)) };
};

/**
 * Trains weights of -1, 0 and 1 with one factor for each layer. Source: Li et al. 2016, arXiv:1605.04711.
 */
export const twn = (options: TwnOptions = {}): Pass =>
  throughCodes({ ...options, name: "quant/twn", form: "QDQ, ternary", encode: ternaryCodes });
