import { EspalierError } from "../errors.ts";
import type { Geometry } from "../ops/conv2d/geometry.ts";
import type { Tensor } from "../tensor.ts";

export interface ConvolutionOptions {
  /** [down, right], or one number for both. */
  strides?: number | readonly [number, number];
  dilations?: number | readonly [number, number];
  /** Zeros around the image: one number, [top, left, bottom, right], or as many as "same" needs to divide by the strides. */
  padding?: number | readonly [number, number, number, number] | "same";
  groups?: number;
  layout?: "NCHW" | "NHWC";
}

interface Sizes {
  readonly geometry: Geometry;
  /** Of the result. */
  readonly dims: readonly number[];
}

const pair = (value: number | readonly [number, number]): readonly [number, number] =>
  typeof value === "number" ? [value, value] : value;

const refuse = (where: string, message: string): never => {
  throw new EspalierError("BAD_DATA", `hw-kernels/${where}`, message);
};

/** Zeros before and after so that the output has ceil(size / stride) numbers; the odd one comes after. */
const samePadding = (size: number, stride: number, reach: number): [before: number, after: number] => {
  const total = Math.max((Math.ceil(size / stride) - 1) * stride + reach - size, 0);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
};

/** What both kinds of convolution read from their operands. */
const parse = (where: string, x: Tensor, w: readonly number[], options: ConvolutionOptions) => {
  const { strides = 1, dilations = 1, groups = 1, layout = "NCHW" } = options;
  if (x.dims.length !== 4 || w.length !== 4) refuse(where, `x is [${x.dims}] and w [${w}]. Both have four dimensions.`);
  const nhwc = layout === "NHWC";
  const order = (dims: readonly number[]) => (nhwc ? dims : [dims[0], dims[2], dims[3], dims[1]]) as number[];
  const [batch, height, width, channels] = order(x.dims) as [number, number, number, number];
  const [kernelY, kernelX, perGroup, filters] = (nhwc ? w : [w[2], w[3], w[1], w[0]]) as [
    number,
    number,
    number,
    number,
  ];
  const [strideY, strideX] = pair(strides);
  const [dilationY, dilationX] = pair(dilations);
  const kernel = { kernelY, kernelX, dilationY, dilationX };
  return { kernel, batch, height, width, channels, perGroup, filters, strideY, strideX, groups, nhwc };
};

const dimsOf = (nhwc: boolean, batch: number, channels: number, height: number, width: number) =>
  nhwc ? [batch, height, width, channels] : [batch, channels, height, width];

const pads = ({ padding = 0 }: ConvolutionOptions, same: () => [number, number, number, number]) => {
  if (padding === "same") return same();
  return typeof padding === "number" ? [padding, padding, padding, padding] : padding;
};

/** The sizes of `conv2d` on x with a weight of dimensions w; throws where they do not fit. */
export const convolutionGeometry = (
  where: string,
  x: Tensor,
  w: readonly number[],
  options: ConvolutionOptions,
): Sizes => {
  const { kernel, batch, height, width, channels, perGroup, filters, strideY, strideX, groups, nhwc } = parse(
    where,
    x,
    w,
    options,
  );
  if (perGroup * groups !== channels || filters % groups)
    refuse(
      where,
      `x has ${channels} channels and w takes ${perGroup} of ${groups} groups for ${filters} filters. Check groups and layout.`,
    );
  const reachY = (kernel.kernelY - 1) * kernel.dilationY + 1;
  const reachX = (kernel.kernelX - 1) * kernel.dilationX + 1;
  const [padTop, padLeft, bottom, right] = pads(options, () => {
    const [top, below] = samePadding(height, strideY, reachY);
    const [left, after] = samePadding(width, strideX, reachX);
    return [top, left, below, after];
  }) as [number, number, number, number];
  const outHeight = Math.floor((height + padTop + bottom - reachY) / strideY) + 1;
  const outWidth = Math.floor((width + padLeft + right - reachX) / strideX) + 1;
  if (outHeight < 1 || outWidth < 1)
    refuse(where, `the kernel reaches over [${reachY}, ${reachX}] and the padded image is smaller. Pad more.`);
  return {
    geometry: {
      ...{ ...kernel, batch, channels, height, width, filters, strideY, strideX, insertY: 1, insertX: 1 },
      ...{ padTop, padLeft, outHeight, outWidth, groups, nhwc: Number(nhwc) },
    },
    dims: dimsOf(nhwc, batch, filters, outHeight, outWidth),
  };
};

/** The sizes of the plain convolution, with zeros inserted and the weight flipped, that a transposed one is. */
export const transposedGeometry = (
  where: string,
  x: Tensor,
  w: readonly number[],
  options: ConvolutionOptions & { size?: readonly [number, number] },
): Sizes => {
  const { kernel, batch, height, width, channels, perGroup, filters, strideY, strideX, groups, nhwc } = parse(
    where,
    x,
    w,
    options,
  );
  if (filters !== channels || filters % groups)
    refuse(where, `x has ${channels} channels and w ${filters} filters. They are the same; check groups and layout.`);
  const reachY = (kernel.kernelY - 1) * kernel.dilationY;
  const reachX = (kernel.kernelX - 1) * kernel.dilationX;
  const outer = (size: number, stride: number, reach: number) => (size - 1) * stride + reach + 1;
  const [outHeight, outWidth] = options.size ?? [0, 0];
  const [top, left, bottom, right] = pads(options, () => {
    const [above, below] = samePadding(outHeight || height * strideY, strideY, reachY + 1);
    const [before, after] = samePadding(outWidth || width * strideX, strideX, reachX + 1);
    return [above, before, below, after];
  }) as [number, number, number, number];
  if (top > reachY || left > reachX)
    throw new EspalierError(
      "UNSUPPORTED",
      `hw-kernels/${where}`,
      `padding [${top}, ${left}] is more than the kernel reaches, [${reachY}, ${reachX}]. Crop x instead.`,
    );
  const sizes = {
    outHeight: outHeight || outer(height, strideY, reachY) - top - bottom,
    outWidth: outWidth || outer(width, strideX, reachX) - left - right,
  };
  const made = perGroup * groups;
  return {
    geometry: {
      ...{ ...kernel, batch, channels, height, width, filters: made, strideY: 1, strideX: 1 },
      ...{ insertY: strideY, insertX: strideX, padTop: reachY - top, padLeft: reachX - left },
      ...{ ...sizes, groups, nhwc: Number(nhwc) },
    },
    dims: dimsOf(nhwc, batch, made, sizes.outHeight, sizes.outWidth),
  };
};

/** The weight of a convolution as its transpose wants it: inputs and outputs of each group exchanged, the kernel turned. */
export const flipped = (w: Float32Array, g: Geometry): Float32Array => {
  const [from, to] = [g.channels / g.groups, g.filters / g.groups];
  const taps = g.kernelY * g.kernelX;
  const out = new Float32Array(w.length);
  for (let group = 0; group < g.groups; group++)
    for (let o = 0; o < from; o++)
      for (let i = 0; i < to; i++)
        for (let tap = 0; tap < taps; tap++) {
          const [outer, inner] = [group * from + o, group * to + i];
          const source = g.nhwc ? (tap * to + i) * g.channels + outer : (outer * to + i) * taps + tap;
          const turned = taps - 1 - tap;
          const target = g.nhwc ? (turned * from + o) * g.filters + inner : (inner * from + o) * taps + turned;
          out[target] = w[source]!;
        }
  return out;
};

/** Whether each channel is a group of its own with one filter. */
export const isDepthwise = (g: Geometry): boolean => g.groups > 1 && g.groups === g.channels && g.groups === g.filters;
