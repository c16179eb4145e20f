import type { Values } from "../../op.ts";
import type { rangeArgs } from "./op.ts";

export const rangeReference = ({ x, least, most, rows, columns }: Values<typeof rangeArgs>): void => {
  for (let row = 0; row < rows; row++) {
    let [low, high] = [Infinity, -Infinity];
    for (let i = row * columns; i < (row + 1) * columns; i++) {
      low = Math.min(low, x[i]!);
      high = Math.max(high, x[i]!);
    }
    least[row] = low;
    most[row] = high;
  }
};
