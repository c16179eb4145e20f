import { EspalierError } from "../errors.ts";
import { ACTIVATIONS } from "../ops/activate/op.ts";

/** A smooth function of each number. */
export type ActivationFunction = (typeof ACTIVATIONS)[number];
/** What a product's values go through last: a function, or a clamp. */
export type Activation =
  | "none"
  | "relu"
  | "relu6"
  | { readonly low?: number; readonly high?: number }
  | ActivationFunction;

const RELU6_TOP = 6;

/** The number of a function for the op `activate`. */
export const activationKind = (name: string): number => {
  const kind = (ACTIVATIONS as readonly string[]).indexOf(name);
  if (kind >= 0) return kind;
  throw new EspalierError(
    "BAD_OPTION",
    "hw-kernels",
    `activation "${name}" is not known. Use ${ACTIVATIONS.join(", ")}.`,
  );
};

/** The range that an activation clamps to, and the function that follows, if it is one. */
export const splitActivation = (
  activation: Activation,
): { readonly range: { low: number; high: number }; readonly after?: ActivationFunction } => {
  const free = { low: -Infinity, high: Infinity };
  if (typeof activation === "object") return { range: { ...free, ...activation } };
  if (activation === "none") return { range: free };
  if (activation === "relu") return { range: { low: 0, high: Infinity } };
  if (activation === "relu6") return { range: { low: 0, high: RELU6_TOP } };
  activationKind(activation);
  return { range: free, after: activation };
};
