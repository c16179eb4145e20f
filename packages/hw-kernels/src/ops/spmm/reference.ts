import type { Values } from "../../op.ts";
import type { spmmArgs } from "./op.ts";

export const spmmReference = (v: Values<typeof spmmArgs>): void => {
  for (let row = 0; row < v.rows; row++) {
    const block = Math.floor(row / v.height);
    for (let j = 0; j < v.n; j++) {
      let sum = v.bias.length ? v.bias[row]! : 0;
      for (let at = v.starts[block]!; at < v.starts[block + 1]!; at++)
        sum += v.values[at * v.height + (row % v.height)]! * v.x[v.indices[at]! * v.strideX + j]!;
      v.y[row * v.strideY + j] = Math.min(Math.max(sum, v.low), v.high);
    }
  }
};
