import type { Op, Values } from "../../op.ts";
import { productScratch } from "../blocks/product.ts";
import { floatBound } from "../bounds.ts";
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
} from "../conv2d/geometry.ts";
import { cut } from "../cut.ts";
import { randomFloats } from "../seeded.ts";

export const conv2dFilterArgs = {
  x: "f32[]",
  dy: "f32[]",
  dw: "f32[] inout",
  ...geometryArgs,
  from: "i32",
  to: "i32",
} as const;
type Args = typeof conv2dFilterArgs;

const call = (g: Geometry, seed: number, more: Partial<Values<Args>> = {}): Values<Args> => ({
  x: randomFloats(inputLength(g), seed, true),
  dy: randomFloats(outputLength(g), seed + 1, true),
  dw: randomFloats(weightLength(g), seed + 2),
  ...(g as Values<typeof geometryArgs>),
  ...{ from: 0, to: g.filters, ...more },
});

const FLOAT = 4;
const TERMS_PER_NANOSECOND = 20;
const CUT = 8;

/**
 * The gradient of a convolution by its weight.
 *
 *     dw[o, i, ky, kx] = sum over n, oy, ox of dy[n, o, oy, ox] * X[n, group(o) + i, iy, ix]
 *
 * Sizes, layouts and X as in `conv2d`: x like its input, dy like its output, dw like its weight. Only filters from..to
 * are made; the rest of dw stays.
 */
export const conv2dFilter: Op<Args> = {
  name: "conv2dFilter",
  args: conv2dFilterArgs,
  lengths: (v) => ({ x: inputLength(v), dy: outputLength(v), dw: weightLength(v) }),
  tolerance: (v) => {
    const sums = new Float64Array(weightLength(v));
    eachTerm(v, (x, w, y) => {
      sums[w]! += Math.abs(v.x[x]! * v.dy[y]!);
    });
    return { dw: sums.map((sum) => floatBound(v.batch * v.outHeight * v.outWidth + 1, sum)) };
  },
  cases: function* (scope) {
    for (const [i, g] of geometryCases(scope, false).entries()) yield call(g, 3 * i);
    if (scope === "load") return;
    for (const nhwc of [0, 1]) {
      const sizes = { channels: 3, height: 18, width: 17, kernelY: 3, kernelX: 3, nhwc };
      yield call(geometry({ ...sizes, filters: 20 }), 5, { from: 8, to: 19 });
    }
  },
  sample: () => call(geometry({ channels: 32, filters: 32, height: 24, width: 24, kernelY: 3, kernelX: 3 }), 1),
  scratch: (v) => {
    const { height, width } = paddedSize(v);
    const pixels = v.outHeight * v.outWidth;
    const terms = (v.channels / v.groups) * v.kernelY * v.kernelX;
    const [m, n] = v.nhwc ? [terms, v.filters] : [v.filters, terms];
    return productScratch(m, n, pixels) + (v.channels * height * width + pixels + terms) * FLOAT;
  },
  work: (v) => (outputLength(v) * weightLength(v)) / v.filters / TERMS_PER_NANOSECOND,
  split: (v, parts) =>
    v.groups > 1
      ? [v]
      : cut(v.to - v.from, parts, CUT).map(([start, size]) => ({
          ...v,
          from: v.from + start,
          to: v.from + start + size,
        })),
};
