import type { Values } from "../../op.ts";
import { eachTerm, weightLength } from "../conv2d/geometry.ts";
import type { depthwiseFilterArgs } from "./op.ts";

export const depthwiseFilterReference = (v: Values<typeof depthwiseFilterArgs>): void => {
  const sums = new Float64Array(weightLength(v));
  eachTerm(v, (x, w, y) => {
    sums[w]! += v.x[x]! * v.dy[y]!;
  });
  v.dw.set(sums);
};
