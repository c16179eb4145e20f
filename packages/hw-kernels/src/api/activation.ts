/** What a product's values go through last. */
export type Activation = "none" | "relu" | "relu6" | { readonly low?: number; readonly high?: number };

const RELU6_TOP = 6;

/** The range that an activation clamps to. */
export const clampRange = (activation: Activation): { low: number; high: number } => {
  if (typeof activation === "object") return { low: activation.low ?? -Infinity, high: activation.high ?? Infinity };
  if (activation === "none") return { low: -Infinity, high: Infinity };
  return { low: 0, high: activation === "relu6" ? RELU6_TOP : Infinity };
};
