import type { Pass } from "@espalier/core";
import { type ValueOptions, valuePass } from "./value-pass.ts";

export interface Fp8Options extends ValueOptions {
  /** 4 bits of exponent and 3 of fraction, or 5 and 2. */
  readonly format?: "e4m3" | "e5m2";
  /** Decoded when the model is loaded, or by DequantizeLinear of float8 (opset 19) on every call. */
  readonly form?: "decode" | "DequantizeLinear";
}

/**
 * Weights in 8-bit floats, one scale a channel or block, so that the extreme is the format's largest value.
 *
 *     w ≈ E4M3⁻¹(code) * scale      scale = max|w| / 448
 *
 * Source: arXiv:2209.05433.
 */
export const fp8 = ({ format = "e4m3", form = "decode", blockSize = "channel", ...options }: Fp8Options = {}): Pass =>
  valuePass({ name: "quant/fp8", format, options, blockSize, forms: [form] });
