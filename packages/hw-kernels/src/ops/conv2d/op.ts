import type { Op, Values } from "../../op.ts";
import { productScratch } from "../blocks/product.ts";
import { floatBound } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomFloats } from "../seeded.ts";
import {
  eachTerm,
  type Geometry,
  geometry,
  geometryArgs,
  geometryCases,
  inputLength,
  outputLength,
  paddedSize,
  weightLength,
} from "./geometry.ts";

export const conv2dArgs = {
  x: "f32[]",
  w: "f32[]",
  bias: "f32[]",
  y: "f32[] inout",
  ...geometryArgs,
  from: "i32",
  to: "i32",
  low: "f32",
  high: "f32",
} as const;
type Args = typeof conv2dArgs;

const call = (g: Geometry, seed: number, more: Partial<Values<Args>> = {}): Values<Args> => ({
  x: randomFloats(inputLength(g), seed, true),
  w: randomFloats(weightLength(g), seed + 1, true),
  bias: new Float32Array(),
  y: randomFloats(outputLength(g), seed + 2),
  ...(g as Values<typeof geometryArgs>),
  ...{ from: 0, to: g.filters, low: -Infinity, high: Infinity, ...more },
});

const FLOAT = 4;
const TERMS_PER_NANOSECOND = 20;
const CUT = 8;

/**
 * Convolutions of images, without writing patches out.
 *
 *     y[n, o, oy, ox] = clamp(bias[o] + sum over i, ky, kx of w[o, i, ky, kx] * X[n, group(o) + i, iy, ix], low, high)
 *     iy = oy * strideY + ky * dilationY - padTop,  ix alike
 *
 * X is x with zeros outside, and with insert - 1 zeros between its pixels, which makes transposed convolutions and the
 * gradient by the input out of plain ones. NCHW: x [batch, channels, height, width], w [filters, channels / groups,
 * kernelY, kernelX], y [batch, filters, outHeight, outWidth]. NHWC: x [batch, height, width, channels], w [kernelY,
 * kernelX, channels / groups, filters], y [batch, outHeight, outWidth, filters]. bias [filters] or empty. Only filters
 * from..to are made.
 */
export const conv2d: Op<Args> = {
  name: "conv2d",
  args: conv2dArgs,
  lengths: (v) => ({ x: inputLength(v), w: weightLength(v), y: outputLength(v), bias: v.bias.length && v.filters }),
  tolerance: (v) => {
    const sums = new Float64Array(outputLength(v));
    eachTerm(v, (x, w, y) => {
      sums[y]! += Math.abs(v.x[x]! * v.w[w]!);
    });
    const terms = (v.channels / v.groups) * v.kernelY * v.kernelX;
    const bias = v.bias.length ? Math.max(...v.bias.map(Math.abs)) : 0;
    return { y: sums.map((sum) => floatBound(terms + 1, sum + bias)) };
  },
  cases: function* (scope) {
    for (const [i, g] of geometryCases(scope, false).entries())
      yield call(g, 3 * i, i % 4 > 1 ? { bias: randomFloats(g.filters, i), low: -1, high: 1 } : {});
    if (scope === "load") return;
    for (const nhwc of [0, 1]) {
      yield call(geometry({ channels: 3, height: 6, width: 7, filters: 20, nhwc }), 5, { from: 8, to: 19 });
      yield call(geometry({ channels: 40, height: 5, width: 5, filters: 3, kernelY: 3, kernelX: 3, nhwc }), 6);
    }
  },
  sample: () => {
    const sizes = { channels: 32, filters: 32, height: 24, width: 24, kernelY: 3, kernelX: 3, padTop: 1, padLeft: 1 };
    return call(geometry(sizes), 1);
  },
  scratch: (v) => {
    const { height, width } = paddedSize(v);
    const pixels = v.outHeight * v.outWidth;
    const terms = (v.channels / v.groups) * v.kernelY * v.kernelX;
    const [m, n] = v.nhwc ? [pixels, v.filters] : [v.filters, pixels];
    return productScratch(m, n, terms) + (v.channels * height * width + pixels + terms) * FLOAT;
  },
  work: (v) => (outputLength(v) * weightLength(v)) / v.filters / TERMS_PER_NANOSECOND,
  split: (v, parts) => {
    const x = v.channels * v.height * v.width * FLOAT;
    const y = v.filters * v.outHeight * v.outWidth * FLOAT;
    if (v.batch >= parts || v.groups > 1)
      return cut(v.batch, parts, 1).map(([n, batch]) => ({ ...v, batch, x: v.x + n * x, y: v.y + n * y }));
    return cut(v.to - v.from, parts, CUT).map(([start, size]) => ({
      ...v,
      from: v.from + start,
      to: v.from + start + size,
    }));
  },
};
