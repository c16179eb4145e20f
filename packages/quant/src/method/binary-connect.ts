import type { Pass } from "@espalier/core";
import { type Coded, throughCodes } from "../training/through.ts";
import type { TrainQuantOptions } from "../training/train-quantized.ts";

export interface BinaryConnectOptions extends TrainQuantOptions {
  /** The mean |w| of a layer as the factor of its codes (arXiv:1603.05279), for nets whose norms don't make up for it. */
  readonly scaled?: boolean;
}

/** 1 where w >= 0, else -1; the factor is 1, or mean |w|. */
export const binaryCodes = (w: Float32Array, scaled: boolean): Coded => ({
  codes: Int8Array.from(w, (value) => (value >= 0 ? 1 : -1)),
  step: scaled ? Math.fround(w.reduce((sum, value) => sum + Math.abs(value), 0) / w.length) : 1,
});

/**
 * Trains weights of -1 and 1: real ones, kept from -1 to 1, take the gradients that their signs get.
 *
 * Source: Courbariaux et al. 2015, arXiv:1511.00363, algorithm 1.
 */
export const binaryConnect = ({ scaled = false, ...options }: BinaryConnectOptions = {}): Pass =>
  throughCodes({
    ...options,
    name: "quant/binary-connect",
    form: "QDQ, binary",
    encode: (w) => binaryCodes(w, scaled),
    clip: true,
  });
