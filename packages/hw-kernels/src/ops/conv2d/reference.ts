import type { Values } from "../../op.ts";
import { eachTerm, outputLength } from "./geometry.ts";
import type { conv2dArgs } from "./op.ts";

export const conv2dReference = (v: Values<typeof conv2dArgs>): void => {
  const sums = new Float64Array(outputLength(v));
  eachTerm(v, (x, w, y) => {
    sums[y]! += v.x[x]! * v.w[w]!;
  });
  const pixels = v.outHeight * v.outWidth;
  for (const [i, sum] of sums.entries()) {
    const filter = v.nhwc ? i % v.filters : Math.floor(i / pixels) % v.filters;
    if (filter < v.from || filter >= v.to) continue;
    v.y[i] = Math.max(v.low, Math.min(v.high, sum + (v.bias[filter] ?? 0)));
  }
};
