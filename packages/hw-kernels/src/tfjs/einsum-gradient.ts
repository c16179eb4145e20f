import { parseEinsum } from "./einsum.ts";
import type { Tf } from "./tf.ts";

// biome-ignore lint/suspicious/noExplicitAny: tensors of whichever copy of TensorFlow.js is given
type Tensor = any;

/** The gradient of `einsum` by one operand: its letters from those of the result and of the other. */
const byOperand = (tf: Tf, dy: Tensor, output: string, own: string, shape: number[], other?: [string, Tensor]) => {
  const known = new Set(output + (other?.[0] ?? ""));
  const reached = [...own].filter((label) => known.has(label)).join("");
  const part = other
    ? tf.einsum(`${output},${other[0]}->${reached}`, dy, other[1])
    : tf.einsum(`${output}->${reached}`, dy);
  // along dimensions that were only summed the gradient is the same everywhere
  const narrow = [...own].map((label, axis) => (known.has(label) ? shape[axis]! : 1));
  return reached.length === own.length ? part : tf.mul(tf.reshape(part, narrow), tf.ones(shape));
};

/** Registers the gradient of `Einsum`, which TensorFlow.js lacks. */
export const registerEinsumGradient = (tf: Tf): boolean => {
  if (tf.getGradient("Einsum")) return false;
  tf.registerGradient({
    kernelName: "Einsum",
    saveAllInputs: true,
    gradFunc: (dy, saved, attrs) => {
      const { inputs, output } = parseEinsum(String(attrs.equation), saved.length);
      return Object.fromEntries(
        saved.map((tensor: Tensor, i: number) => {
          const other = saved.length > 1 ? ([inputs[1 - i]!, saved[1 - i]] as [string, Tensor]) : undefined;
          return [String(i), () => byOperand(tf, dy, output, inputs[i]!, tensor.shape, other)];
        }),
      );
    },
  });
  return true;
};
