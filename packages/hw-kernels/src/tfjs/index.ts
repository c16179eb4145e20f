import { EspalierError } from "../errors.ts";
import { createKernels, type KernelOptions } from "../kernels.ts";
import { conv2DBackpropFilter, depthwiseBackpropFilter, depthwiseBackpropInput } from "./convolutions.ts";
import { einsum } from "./einsum.ts";
import { registerEinsumGradient } from "./einsum-gradient.ts";
import { batchMatMul, fusedMatMul } from "./matmul.ts";
import { unsortedSegmentSum } from "./segment-sum.ts";
import type { KernelFunction, Tf } from "./tf.ts";

export type { Tf } from "./tf.ts";

/** What was registered. */
export interface Registration {
  /** Names of kernels that the backend lacked. */
  readonly added: readonly string[];
  /** Names of kernels that were replaced. */
  readonly replaced: readonly string[];
  /** What the products run on, to be read by people. */
  describe(): string;
  /** Takes all of it back, and ends the workers. */
  dispose(): void;
}

const BACKEND = "wasm";

/**
 * Puts our kernels into TensorFlow.js's WebAssembly backend: `BatchMatMul` and `_FusedMatMul`, which it computes 10 to 25
 * times slower where an operand is transposed, and wrongly where such a product has a bias or an activation; and those that
 * training needs and it lacks: gradients of convolutions by their weights and of depthwise ones, `UnsortedSegmentSum`
 * (the gradient of an embedding) and `Einsum` with its gradient. Values are those of the cpu backend to float32 rounding.
 *
 * @param tf `@tensorflow/tfjs-core` or `@tensorflow/tfjs`, with the backend "wasm" imported
 * @throws EspalierError `UNSUPPORTED` where the backend has no kernels
 */
export const registerEspalierKernels = async (tf: Tf, options: KernelOptions = {}): Promise<Registration> => {
  const [product, fused] = ["BatchMatMul", "_FusedMatMul"].map((name) => tf.getKernel(name, BACKEND));
  if (!product || !fused)
    throw new EspalierError(
      "UNSUPPORTED",
      "hw-kernels/tfjs",
      'this TensorFlow.js has no backend "wasm". Import @tensorflow/tfjs-backend-wasm first, with the same tfjs-core.',
    );
  const kernels = await createKernels(options);
  const ours: Readonly<Record<string, KernelFunction>> = {
    BatchMatMul: batchMatMul(tf, kernels, product.kernelFunc),
    _FusedMatMul: fusedMatMul(tf, kernels, fused.kernelFunc),
    Conv2DBackpropFilter: conv2DBackpropFilter(tf, kernels),
    DepthwiseConv2dNativeBackpropFilter: depthwiseBackpropFilter(tf, kernels),
    DepthwiseConv2dNativeBackpropInput: depthwiseBackpropInput(tf, kernels),
    UnsortedSegmentSum: unsortedSegmentSum,
    Einsum: einsum(kernels),
  };
  const names = Object.keys(ours);
  const before = new Map(names.map((name) => [name, tf.getKernel(name, BACKEND)]));
  for (const name of names) {
    if (before.get(name)) tf.unregisterKernel(name, BACKEND);
    // a backend that starts later sets the kernels up that ours may pass work on to
    tf.registerKernel({ ...before.get(name), kernelName: name, backendName: BACKEND, kernelFunc: ours[name]! });
  }
  const gradient = registerEinsumGradient(tf);
  return {
    added: names.filter((name) => !before.get(name)),
    replaced: names.filter((name) => before.get(name)),
    describe: kernels.describe,
    dispose: () => {
      for (const name of names) {
        tf.unregisterKernel(name, BACKEND);
        const config = before.get(name);
        if (config) tf.registerKernel(config);
      }
      if (gradient) tf.unregisterGradient("Einsum");
      kernels.dispose();
    },
  };
};
