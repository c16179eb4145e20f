import type { Tf, TfTensor } from "../tf.ts";
import { elementwise } from "./elementwise.ts";
import type { KernelGradient } from "./gradient.ts";
import { reductions } from "./reduce.ts";
import { shapes } from "./shape.ts";
import { windows } from "./windows.ts";

const gradients: Readonly<Record<string, KernelGradient>> = { ...elementwise, ...reductions, ...shapes, ...windows };

/**
 * Gives the kernels of TensorFlow.js the gradients that it does not know yet: `@tensorflow/tfjs-core` alone knows none,
 * `@tensorflow/tfjs` lacks those of comparisons. What is registered already stays.
 */
export const registerGradients = (tf: Tf): void => {
  for (const [kernelName, { inputs = [], output = false, all = false, of }] of Object.entries(gradients)) {
    if (tf.getGradient(kernelName)) continue;
    tf.registerGradient({
      kernelName,
      ...(all ? { saveAllInputs: true } : { inputsToSave: [...inputs] }),
      outputsToSave: [output],
      gradFunc: (dy, saved, attrs) => {
        const dys = (Array.isArray(dy) ? dy : [dy]) as TfTensor[];
        return of(tf, dys[0], saved as TfTensor[], attrs, dys) as never;
      },
    });
  }
};
