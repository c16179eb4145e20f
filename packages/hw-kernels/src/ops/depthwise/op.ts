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
import { randomFloats } from "../seeded.ts";

export const depthwiseArgs = {
  x: "f32[]",
  w: "f32[]",
  bias: "f32[]",
  y: "f32[] inout",
  ...geometryArgs,
  low: "f32",
  high: "f32",
} as const;
type Args = typeof depthwiseArgs;

const call = (g: Geometry, seed: number, more: Partial<Values<Args>> = {}): Values<Args> => ({
  x: randomFloats(inputLength(g), seed, true),
  w: randomFloats(weightLength(g), seed + 1, true),
  bias: new Float32Array(),
  y: randomFloats(outputLength(g), seed + 2),
  ...(g as Values<typeof geometryArgs>),
  ...{ low: -Infinity, high: Infinity, ...more },
});

const FLOAT = 4;
/** Room behind the padded image, which vectors may reach into. */
export const SLACK_BYTES = 64;
const TERMS_PER_NANOSECOND = 5;

/**
 * Convolutions that keep channels apart: `conv2d` with as many groups and filters as channels, in either layout.
 *
 *     y[n, c, oy, ox] = clamp(bias[c] + sum over ky, kx of w[c, ky, kx] * X[n, c, iy, ix], low, high)
 *
 * Sizes and X as in `conv2d`. NHWC: w [kernelY, kernelX, channels].
 */
export const depthwise: Op<Args> = {
  name: "depthwise",
  args: depthwiseArgs,
  lengths: (v) => ({ x: inputLength(v), w: weightLength(v), y: outputLength(v), bias: v.bias.length && v.channels }),
  tolerance: (v) => {
    const sums = new Float64Array(outputLength(v));
    eachTerm(v, (x, w, y) => {
      sums[y]! += Math.abs(v.x[x]! * v.w[w]!);
    });
    const bias = v.bias.length ? Math.max(...v.bias.map(Math.abs)) : 0;
    return { y: sums.map((sum) => floatBound(v.kernelY * v.kernelX + 1, sum + bias)) };
  },
  cases: function* (scope) {
    for (const [i, g] of geometryCases(scope, true).entries())
      yield call(g, 3 * i, i % 4 > 1 ? { bias: randomFloats(g.channels, i), low: -1, high: 1 } : {});
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
    const input = v.height * v.width * FLOAT;
    const output = v.outHeight * v.outWidth * FLOAT;
    if (v.nhwc || v.batch >= parts)
      return cut(v.batch, parts, 1).map(([n, batch]) => {
        return { ...v, batch, x: v.x + n * v.channels * input, y: v.y + n * v.channels * output };
      });
    if (v.batch > 1) return [v];
    return cut(v.channels, parts, 1).map(([start, channels]) => ({
      ...{ ...v, channels, filters: channels, groups: channels },
      ...{ x: v.x + start * input, y: v.y + start * output, bias: v.bias && v.bias + start * FLOAT },
      w: v.w + start * v.kernelY * v.kernelX * FLOAT,
    }));
  },
};
