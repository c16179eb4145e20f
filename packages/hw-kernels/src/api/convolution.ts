import { EspalierError } from "../errors.ts";
import { conv2d } from "../ops/conv2d/op.ts";
import { conv2dFilter } from "../ops/conv2d-filter/op.ts";
import { depthwise } from "../ops/depthwise/op.ts";
import { depthwiseFilter } from "../ops/depthwise-filter/op.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { type Activation, splitActivation } from "./activation.ts";
import {
  type ConvolutionOptions,
  convolutionGeometry,
  flipped,
  isDepthwise,
  transposedGeometry,
} from "./convolution-sizes.ts";
import { floatOutput, vectorOf } from "./operands.ts";

interface Finish {
  /** [filters] */
  bias?: Tensor;
  /** A clamp: relu, relu6 or a range. */
  activation?: Exclude<Activation, "gelu" | "geluTanh" | "silu" | "sigmoid">;
  out?: Tensor<"float32">;
}

export interface ConvolutionKernels {
  /**
   * A convolution of images, depthwise where groups, channels and filters are as many.
   *
   * @param x [batch, channels, height, width], or channels last where layout is NHWC
   * @param w [filters, channels / groups, kernel height, width]; NHWC: [kernel height, width, channels / groups, filters]
   */
  conv2d(x: Tensor, w: Tensor, options?: ConvolutionOptions & Finish): Tensor<"float32">;
  /**
   * The transposed convolution, which is the gradient of `conv2d` by its input: `x` like its output, `w` its weight, and
   * `size` [height, width] of its input where stride and padding leave that open.
   */
  convTranspose2d(
    x: Tensor,
    w: Tensor,
    options?: ConvolutionOptions & Finish & { size?: readonly [number, number] },
  ): Tensor<"float32">;
  /** The gradient of `conv2d` by its weight, from its input, the gradient by its output, and the kernel's size. */
  conv2dFilterGradient(
    x: Tensor,
    dy: Tensor,
    kernel: readonly [number, number],
    options?: ConvolutionOptions & { out?: Tensor<"float32"> },
  ): Tensor<"float32">;
}

const NONE = new Float32Array();

/** Convolutions and their gradients, float32. */
export const convolutionKernels = ({ run }: Runtime): ConvolutionKernels => {
  const convolve = (
    where: string,
    { geometry: g, dims }: ReturnType<typeof convolutionGeometry>,
    [x, w]: readonly [Tensor, Float32Array],
    { bias, activation = "none", out }: Finish,
  ) => {
    const y = floatOutput(where, dims, out);
    const { range } = splitActivation(activation);
    const data = { x: vectorOf(where, "x", x, sizeOf(x.dims)), w, y: y.data };
    const all = { ...g, ...data, ...range, bias: bias ? vectorOf(where, "bias", bias, g.filters) : NONE };
    if (isDepthwise(g)) run(depthwise, all);
    else run(conv2d, { ...all, from: 0, to: g.filters });
    return y;
  };
  return {
    conv2d: (x, w, options = {}) => {
      const sizes = convolutionGeometry("conv2d", x, w.dims, options);
      return convolve("conv2d", sizes, [x, vectorOf("conv2d", "w", w, sizeOf(w.dims))], options);
    },
    convTranspose2d: (x, w, options = {}) => {
      const sizes = transposedGeometry("convTranspose2d", x, w.dims, options);
      const weight = vectorOf("convTranspose2d", "w", w, sizeOf(w.dims));
      return convolve("convTranspose2d", sizes, [x, flipped(weight, sizes.geometry)], options);
    },
    conv2dFilterGradient: (x, dy, [kernelY, kernelX], options = {}) => {
      const where = "conv2dFilterGradient";
      const { layout = "NCHW", groups = 1, out } = options;
      const [channels, filters] = (layout === "NHWC" ? [x.dims[3], dy.dims[3]] : [x.dims[1], dy.dims[1]]) as [
        number,
        number,
      ];
      const perGroup = channels / groups;
      const weightDims =
        layout === "NHWC" ? [kernelY, kernelX, perGroup, filters] : [filters, perGroup, kernelY, kernelX];
      const { geometry: g, dims } = convolutionGeometry(where, x, weightDims, options);
      if (dims.join() !== dy.dims.join())
        throw new EspalierError(
          "BAD_DATA",
          `hw-kernels/${where}`,
          `dy is [${dy.dims}] and the convolution gives [${dims}].`,
        );
      const dw = floatOutput(where, weightDims, out);
      const data = {
        x: vectorOf(where, "x", x, sizeOf(x.dims)),
        dy: vectorOf(where, "dy", dy, sizeOf(dims)),
        dw: dw.data,
      };
      if (isDepthwise(g)) run(depthwiseFilter, { ...g, ...data });
      else run(conv2dFilter, { ...g, ...data, from: 0, to: filters });
      return dw;
    },
  };
};
