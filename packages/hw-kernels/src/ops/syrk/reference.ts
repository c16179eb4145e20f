import type { Values } from "../../op.ts";
import { gramAt, type syrkArgs } from "./op.ts";

export const syrkReference = (v: Values<typeof syrkArgs>): void => {
  for (let i = v.from; i < v.to; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let row = 0; row < v.rows; row++) sum += v.x[row * v.stride + i]! * v.x[row * v.stride + j]!;
      const at = gramAt(i, j, v.columns, v.packed);
      const full = v.alpha * sum + (v.beta === 0 ? 0 : v.beta * v.g[at]!);
      v.g[at] = full;
      if (!v.packed) v.g[j * v.columns + i] = full;
    }
};
