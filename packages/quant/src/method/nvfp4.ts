import type { Pass } from "@espalier/core";
import { type ValueOptions, valuePass } from "./value-pass.ts";

export type Nvfp4Options = Omit<ValueOptions, "blockSize">;

/** Elements of a block. Source: SPEC QL-08. */
const BLOCK = 16;

/**
 * Weights in NVFP4: E2M1 with a scale in E4M3 for every 16 and one float for the tensor. No runtime has an operator for
 * it: the weights are decoded when the model is loaded.
 */
export const nvfp4 = (options: Nvfp4Options = {}): Pass =>
  valuePass({ name: "quant/nvfp4", format: "nvfp4", options, blockSize: BLOCK, forms: ["decode"] });
