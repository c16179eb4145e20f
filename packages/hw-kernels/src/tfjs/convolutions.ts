import type { Kernels } from "../kernels.ts";
import { floatsOf } from "./matmul.ts";
import { stridesOf, walk } from "./shapes.ts";
import type { ConvolutionInfo, KernelCall, KernelFunction, Tf } from "./tf.ts";

type Four = [number, number, number, number];
type Convolutions = Pick<Kernels, "conv2dFilterGradient" | "convTranspose2d">;

interface Place {
  readonly strides: [number, number];
  readonly dilations: [number, number];
  readonly padding: Four;
}

const placeOf = (info: ConvolutionInfo): Place => {
  const { padInfo, strideHeight, strideWidth } = info;
  // what rounding up reads beyond the image is zero
  const after = (out: number, stride: number, reach: number, size: number, before: number, least: number) =>
    Math.max((out - 1) * stride + reach - size - before, least);
  return {
    strides: [strideHeight, strideWidth],
    dilations: [info.dilationHeight, info.dilationWidth],
    padding: [
      padInfo.top,
      padInfo.left,
      after(info.outHeight, strideHeight, info.effectiveFilterHeight, info.inHeight, padInfo.top, padInfo.bottom),
      after(info.outWidth, strideWidth, info.effectiveFilterWidth, info.inWidth, padInfo.left, padInfo.right),
    ],
  };
};

interface Kind {
  readonly depthwise?: boolean;
  /** Channels come before height and width. */
  readonly first?: boolean;
}

const infoOf = (
  tf: Tf,
  { attrs }: KernelCall,
  image: readonly number[],
  filter: readonly number[],
  { depthwise = false, first = false }: Kind,
) =>
  placeOf(
    tf.backend_util.computeConv2DInfo(
      image as Four,
      filter as Four,
      attrs.strides as [number, number],
      (attrs.dilations as [number, number] | undefined) ?? 1,
      attrs.pad as "same",
      attrs.dimRoundingMode as "floor" | undefined,
      depthwise,
      first ? "channelsFirst" : "channelsLast",
    ),
  );

const floats = (backend: KernelCall["backend"], info: KernelCall["inputs"][string]) =>
  ({ type: "float32", dims: info!.shape, data: floatsOf(backend, info!) }) as const;

/** [filters, channels, height, width] as [height, width, channels, filters]. */
const channelsLast = (values: Float32Array, shape: readonly number[], out: Float32Array) => {
  const [filters, channels, , kernelX] = [shape[3]!, shape[2]!, shape[0]!, shape[1]!];
  const own = stridesOf([filters, channels, shape[0]!, kernelX]);
  walk(shape, [own[2]!, own[3]!, own[1]!, own[0]!], (index, place) => {
    out[index] = values[place]!;
  });
};

/** Kernel `Conv2DBackpropFilter`. */
export const conv2DBackpropFilter =
  (tf: Tf, kernels: Convolutions): KernelFunction =>
  (call) => {
    const { inputs, backend, attrs } = call;
    const shape = attrs.filterShape as Four;
    const first = attrs.dataFormat === "NCHW";
    const place = infoOf(tf, call, inputs.x!.shape, shape, { first });
    const out = backend.makeOutput([...shape], "float32");
    const [x, dy] = [floats(backend, inputs.x), floats(backend, inputs.dy)];
    const kernel = [shape[0], shape[1]] as const;
    if (first) {
      const made = kernels.conv2dFilterGradient(x, dy, kernel, { ...place, layout: "NCHW" });
      channelsLast(made.data, shape, floatsOf(backend, out));
    } else
      kernels.conv2dFilterGradient(x, dy, kernel, {
        ...place,
        layout: "NHWC",
        out: { type: "float32", dims: shape, data: floatsOf(backend, out) },
      });
    return out;
  };

/** Kernel `DepthwiseConv2dNativeBackpropFilter`; a filter is [height, width, channels, multiplier]. */
export const depthwiseBackpropFilter =
  (tf: Tf, kernels: Convolutions): KernelFunction =>
  (call) => {
    const { inputs, backend, attrs } = call;
    const [height, width, channels, multiplier] = attrs.filterShape as Four;
    const place = infoOf(tf, call, inputs.x!.shape, attrs.filterShape as Four, { depthwise: true });
    const out = backend.makeOutput([height, width, channels, multiplier], "float32");
    kernels.conv2dFilterGradient(floats(backend, inputs.x), floats(backend, inputs.dy), [height, width], {
      ...place,
      layout: "NHWC",
      groups: channels,
      out: { type: "float32", dims: [height, width, 1, channels * multiplier], data: floatsOf(backend, out) },
    });
    return out;
  };

/** Kernel `DepthwiseConv2dNativeBackpropInput`. */
export const depthwiseBackpropInput =
  (tf: Tf, kernels: Convolutions): KernelFunction =>
  (call) => {
    const { inputs, backend, attrs } = call;
    const image = attrs.inputShape as Four;
    const [height, width, channels, multiplier] = inputs.filter!.shape as Four;
    const place = infoOf(tf, call, image, inputs.filter!.shape, { depthwise: true });
    const out = backend.makeOutput([...image], "float32");
    const filter = { ...floats(backend, inputs.filter), dims: [height, width, 1, channels * multiplier] };
    kernels.convTranspose2d(floats(backend, inputs.dy), filter, {
      ...place,
      layout: "NHWC",
      groups: channels,
      size: [image[1], image[2]],
      out: { type: "float32", dims: image, data: floatsOf(backend, out) },
    });
    return out;
  };
