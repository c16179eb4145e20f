import type { Pass } from "@espalier/core";
import type { Target } from "../support.ts";
import { type ValueForm, type ValueOptions, valuePass } from "./value-pass.ts";

export interface Nf4Options extends ValueOptions {
  /** Scales in 8 bits about their mean, with one float for every 256 of them. */
  readonly doubleQuant?: boolean;
  readonly form?: "auto" | "decode" | "MatMulBnb4";
  /** Where the result runs: MatMulBnb4 is chosen where it is not slow. */
  readonly target?: Target;
}

/** Weights of a block. Source: QLoRA, arXiv:2305.14314, section 3. */
const BLOCK = 64;

/** Forms for a target: onnxruntime-web decodes MatMulBnb4 on every call. */
const bnb4Forms = (form: "auto" | "decode" | "MatMulBnb4", target: Target): readonly ValueForm[] =>
  form !== "auto" ? [form] : target === "web" || target === "node" ? ["decode"] : ["MatMulBnb4", "decode"];

/**
 * Weights in NF4: the 16 quantiles of a Gaussian, times the largest magnitude of a block of 64.
 *
 *     w ≈ NF4[code] * scale      scale = max|w| of the block
 *
 * Linear layers are stored for `MatMulBnb4` where the target runs it well; others, and all elsewhere, are decoded when
 * the model is loaded. Source: QLoRA, arXiv:2305.14314.
 */
export const nf4 = ({
  doubleQuant = false,
  form = "auto",
  target = "node",
  blockSize = BLOCK,
  ...options
}: Nf4Options = {}): Pass =>
  valuePass({ name: "quant/nf4", format: "nf4", options, blockSize, doubleQuant, forms: bnb4Forms(form, target) });
