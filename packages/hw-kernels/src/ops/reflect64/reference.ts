import type { Values } from "../../op.ts";
import type { reflect64Args } from "./op.ts";

export const reflect64Reference = ({ v, x, n, count, stride, beta }: Values<typeof reflect64Args>): void => {
  for (let j = 0; j < count; j++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += v[i]! * x[j * stride + i]!;
    for (let i = 0; i < n; i++) x[j * stride + i]! -= beta * sum * v[i]!;
  }
};
