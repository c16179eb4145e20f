import type { Values } from "../../op.ts";
import { GROUP, type int8Args, QUAD } from "./op.ts";

export const int8Reference = (v: Values<typeof int8Args>): void => {
  for (let j = 0; j < v.n; j++) {
    const start = Math.floor(j / GROUP) * GROUP * v.k + (j % GROUP) * QUAD;
    for (let i = 0; i < v.m; i++) {
      let sum = v.bias[j] ?? 0;
      for (let k = 0; k < v.k; k++)
        sum += (v.a[i * v.k + k]! - v.zero) * v.w[start + (k >> 2) * GROUP * QUAD + (k & 3)]!;
      v.y[i * v.stride + j] = sum | 0;
    }
  }
};
