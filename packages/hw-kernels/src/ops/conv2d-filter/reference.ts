import type { Values } from "../../op.ts";
import { eachTerm, weightLength } from "../conv2d/geometry.ts";
import type { conv2dFilterArgs } from "./op.ts";

export const conv2dFilterReference = (v: Values<typeof conv2dFilterArgs>): void => {
  const sums = new Float64Array(weightLength(v));
  eachTerm(v, (x, w, y) => {
    sums[w]! += v.x[x]! * v.dy[y]!;
  });
  const terms = sums.length / v.filters;
  for (const [i, sum] of sums.entries()) {
    const filter = v.nhwc ? i % v.filters : Math.floor(i / terms);
    if (filter >= v.from && filter < v.to) v.dw[i] = sum;
  }
};
