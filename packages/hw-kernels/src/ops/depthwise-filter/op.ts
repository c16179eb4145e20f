import type { Op, Values } from "../../op.ts";
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
import { SLACK_BYTES } from "../depthwise/op.ts";
import { randomFloats } from "../seeded.ts";

export const depthwiseFilterArgs = { x: "f32[]", dy: "f32[]", dw: "f32[] out", ...geometryArgs } as const;
type Args = typeof depthwiseFilterArgs;

const call = (g: Geometry, seed: number): Values<Args> => ({
  x: randomFloats(inputLength(g), seed, true),
  dy: randomFloats(outputLength(g), seed + 1, true),
  dw: randomFloats(weightLength(g), seed + 2),
  ...(g as Values<typeof geometryArgs>),
});

const FLOAT = 4;
const TERMS_PER_NANOSECOND = 3;

/**
 * The gradient of a depthwise convolution by its weight.
 *
 *     dw[c, ky, kx] = sum over n, oy, ox of dy[n, c, oy, ox] * X[n, c, iy, ix]
 *
 * Sizes, layouts and X as in `depthwise`.
 */
export const depthwiseFilter: Op<Args> = {
  name: "depthwiseFilter",
  args: depthwiseFilterArgs,
  lengths: (v) => ({ x: inputLength(v), dy: outputLength(v), dw: weightLength(v) }),
  tolerance: (v) => {
    const sums = new Float64Array(weightLength(v));
    eachTerm(v, (x, w, y) => {
      sums[w]! += Math.abs(v.x[x]! * v.dy[y]!);
    });
    return { dw: sums.map((sum) => floatBound(v.batch * v.outHeight * v.outWidth + 1, sum)) };
  },
  cases: function* (scope) {
    for (const [i, g] of geometryCases(scope, true).entries()) yield call(g, 3 * i);
  },
  sample: () => {
    const sizes = { channels: 32, filters: 32, groups: 32, height: 32, width: 32, nhwc: 1 };
    return call(geometry({ ...sizes, kernelY: 3, kernelX: 3, padTop: 1, padLeft: 1 }), 1);
  },
  scratch: (v) => {
    const { height, width } = paddedSize(v);
    return (v.nhwc ? v.channels : 1) * height * width * FLOAT + SLACK_BYTES;
  },
  work: (v) => (outputLength(v) * v.kernelY * v.kernelX) / TERMS_PER_NANOSECOND,
  split: (v, parts) => {
    if (v.nhwc || v.batch > 1) return [v];
    return cut(v.channels, parts, 1).map(([start, channels]) => ({
      ...{ ...v, channels, filters: channels, groups: channels },
      x: v.x + start * v.height * v.width * FLOAT,
      dy: v.dy + start * v.outHeight * v.outWidth * FLOAT,
      dw: v.dw + start * v.kernelY * v.kernelX * FLOAT,
    }));
  },
};
