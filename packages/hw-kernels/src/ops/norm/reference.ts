import type { Values } from "../../op.ts";
import type { normArgs } from "./op.ts";

export const normReference = ({
  x,
  y,
  gain,
  bias,
  rows,
  columns,
  centered,
  epsilon,
}: Values<typeof normArgs>): void => {
  for (let start = 0; start < rows * columns; start += columns) {
    let mean = 0;
    if (centered) for (let j = 0; j < columns; j++) mean += x[start + j]! / columns;
    let variance = 0;
    for (let j = 0; j < columns; j++) variance += (x[start + j]! - mean) ** 2 / columns;
    const factor = 1 / Math.sqrt(variance + epsilon);
    for (let j = 0; j < columns; j++) y[start + j] = (x[start + j]! - mean) * factor * (gain[j] ?? 1) + (bias[j] ?? 0);
  }
};
