import type { Values } from "../../op.ts";
import type { softmaxArgs } from "./op.ts";

export const softmaxReference = ({ x, y, rows, columns, scale }: Values<typeof softmaxArgs>): void => {
  for (let start = 0; start < rows * columns; start += columns) {
    let most = -Infinity;
    for (let j = 0; j < columns; j++) most = Math.max(most, scale * x[start + j]!);
    let sum = 0;
    for (let j = 0; j < columns; j++) sum += Math.exp(scale * x[start + j]! - most);
    for (let j = 0; j < columns; j++) y[start + j] = Math.exp(scale * x[start + j]! - most) / sum;
  }
};
