import type { Pass } from "@espalier/core";
import { type RtnOptions, weightPass } from "./weight-pass.ts";

export type { RtnOptions };

/**
 * Weights-only quantization by rounding to nearest: no data, activations stay float.
 *
 *     w ≈ (code - zero) * scale      one scale a channel, block or row
 *
 * The form of each layer is chosen for the target: what a runtime decodes fast (`MatMulNBits`,
 * `GatherBlockQuantized`), or plain operators that onnxruntime folds when it loads the model. Layers that are left
 * alone are reported with the reason. Source: arXiv:2103.13630, sections III.B to III.F; blocks as in FORMATS 2.4.
 */
export const rtn = (options: RtnOptions = {}): Pass => weightPass({ name: "quant/rtn", options });
