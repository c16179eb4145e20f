import type { Tf, TfTensor } from "../tf.ts";
import type { KernelGradient } from "./gradient.ts";

const kernel = (tf: Tf, name: string, inputs: Record<string, TfTensor>, attrs: object): TfTensor =>
  tf.engine().runKernel(name, inputs, attrs as never) as TfTensor;

/** Products: dA = dY Bᵀ and dB = Aᵀ dY, turned as the factors were. */
const batchMatMul: KernelGradient = {
  inputs: ["a", "b"],
  of: (tf, dy, [a, b], { transposeA, transposeB }) => ({
    a: () => (transposeA ? tf.matMul(b, dy, transposeB as boolean, true) : tf.matMul(dy, b, false, !transposeB)),
    b: () => (transposeB ? tf.matMul(dy, a, true, transposeA as boolean) : tf.matMul(a, dy, !transposeA, false)),
  }),
};

const pool = (name: string, saves: Pick<KernelGradient, "output">): KernelGradient => ({
  inputs: ["x"],
  ...saves,
  of: (tf, dy, [x, y], { filterSize, strides, pad }) => ({
    x: () => {
      const inputs: Record<string, TfTensor> = y ? { dy, input: x, output: y } : { dy, input: x };
      return kernel(tf, name, inputs, { filterSize, strides, pad });
    },
  }),
});

/** Windows over images, [N, H, W, C]. Kernels have no dilation here: the operators put zeros into them. */
export const windows: Readonly<Record<string, KernelGradient>> = {
  BatchMatMul: batchMatMul,
  AvgPool: pool("AvgPoolGrad", {}),
  MaxPool: pool("MaxPoolGrad", { output: true }),
  Conv2D: {
    inputs: ["x", "filter"],
    of: (tf, dy, [x, filter], { strides, pad, dataFormat }) => ({
      x: () => kernel(tf, "Conv2DBackpropInput", { dy, filter }, { strides, pad, dataFormat, inputShape: x.shape }),
      filter: () =>
        kernel(tf, "Conv2DBackpropFilter", { x, dy }, { strides, pad, dataFormat, filterShape: filter.shape }),
    }),
  },
  Conv2DBackpropInput: {
    inputs: ["dy", "filter"],
    of: (tf, ddx, [dy, filter], { strides, pad, dataFormat }) => ({
      dy: () => tf.conv2d(ddx as never, filter as never, strides as never, pad as never, dataFormat as "NHWC"),
      filter: () =>
        kernel(tf, "Conv2DBackpropFilter", { x: ddx, dy }, { strides, pad, dataFormat, filterShape: filter.shape }),
    }),
  },
  Conv3D: {
    inputs: ["x", "filter"],
    of: (tf, dy, [x, filter], { strides, pad }) => ({
      x: () => kernel(tf, "Conv3DBackpropInputV2", { dy, filter }, { strides, pad, inputShape: x.shape }),
      filter: () => kernel(tf, "Conv3DBackpropFilterV2", { x, dy }, { strides, pad, filterShape: filter.shape }),
    }),
  },
  DepthwiseConv2dNative: {
    inputs: ["x", "filter"],
    of: (tf, dy, [x, filter], { strides, pad, dilations, dimRoundingMode }) => {
      const attrs = { strides, pad, dilations, dimRoundingMode };
      return {
        x: () => kernel(tf, "DepthwiseConv2dNativeBackpropInput", { dy, filter }, { ...attrs, inputShape: x.shape }),
        filter: () =>
          kernel(tf, "DepthwiseConv2dNativeBackpropFilter", { x, dy }, { ...attrs, filterShape: filter.shape }),
      };
    },
  },
};
