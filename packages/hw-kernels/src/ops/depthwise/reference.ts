import type { Values } from "../../op.ts";
import { eachTerm, outputLength } from "../conv2d/geometry.ts";
import type { depthwiseArgs } from "./op.ts";

export const depthwiseReference = (v: Values<typeof depthwiseArgs>): void => {
  const sums = new Float64Array(outputLength(v));
  eachTerm(v, (x, w, y) => {
    sums[y]! += v.x[x]! * v.w[w]!;
  });
  const pixels = v.outHeight * v.outWidth;
  for (const [i, sum] of sums.entries()) {
    const channel = v.nhwc ? i % v.channels : Math.floor(i / pixels) % v.channels;
    v.y[i] = Math.max(v.low, Math.min(v.high, sum + (v.bias[channel] ?? 0)));
  }
};
