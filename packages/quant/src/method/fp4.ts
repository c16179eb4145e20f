import type { Pass } from "@espalier/core";
import { type ValueOptions, valuePass } from "./value-pass.ts";

export interface Fp4Options extends ValueOptions {
  /**
   * `decode`: the values of E2M1. `MatMulBnb4`: bitsandbytes' values, which differ from those in 0.5, for onnxruntime's
   * operator.
   */
  readonly form?: "decode" | "MatMulBnb4";
}

/** Weights of a block. Source: QLoRA, arXiv:2305.14314, table 2. */
const BLOCK = 64;

/** Weights in 4-bit floats: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives, over 6, times the extreme of a block. */
export const fp4 = ({ form = "decode", blockSize = BLOCK, ...options }: Fp4Options = {}): Pass =>
  valuePass({
    name: "quant/fp4",
    format: form === "decode" ? "fp4" : "bnb-fp4",
    options,
    blockSize,
    forms: [form],
  });
