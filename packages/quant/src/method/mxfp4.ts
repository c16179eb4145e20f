import type { Pass } from "@espalier/core";
import { type ValueOptions, valuePass } from "./value-pass.ts";

export type Mxfp4Options = Omit<ValueOptions, "blockSize">;

/** Elements of a block. Source: OCP Microscaling Formats 1.0, table 1. */
const BLOCK = 32;

/**
 * Weights in MXFP4: E2M1 with a power of two for every 32, in one byte. No runtime has an operator for it: the weights
 * are decoded when the model is loaded. `clip: "mse"` also tries the next power of two, where nothing is clipped.
 * Source: OCP Microscaling Formats 1.0.
 */
export const mxfp4 = (options: Mxfp4Options = {}): Pass =>
  valuePass({ name: "quant/mxfp4", format: "mxfp4", options, blockSize: BLOCK, forms: ["decode"] });
