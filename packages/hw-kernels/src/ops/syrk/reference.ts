import type { Values } from "../../op.ts";
import type { syrkArgs } from "./op.ts";

export const syrkReference = (v: Values<typeof syrkArgs>): void => {
  for (let i = 0; i < v.to; i++)
    for (let j = Math.max(i, v.from); j < v.to; j++) {
      let sum = 0;
      for (let row = 0; row < v.rows; row++) sum += v.x[row * v.stride + i]! * v.x[row * v.stride + j]!;
      const full = v.alpha * sum + (v.beta === 0 ? 0 : v.beta * v.g[i * v.columns + j]!);
      v.g[i * v.columns + j] = full;
      v.g[j * v.columns + i] = full;
    }
};
