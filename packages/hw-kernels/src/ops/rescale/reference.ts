import type { Values } from "../../op.ts";
import { roundEven } from "../round-even.ts";
import type { requantizeArgs, rescaleArgs } from "./op.ts";

const { fround } = Math;

export const rescaleReference = (v: Values<typeof rescaleArgs>): void => {
  for (let i = 0; i < v.m; i++)
    for (let j = 0; j < v.n; j++) {
      const scale = fround(v.rowScales[i]! * v.columnScales[j]!);
      const y = fround(fround(fround(v.x[i * v.n + j]!) * scale) + (v.bias[j] ?? 0));
      v.y[i * v.n + j] = Math.max(v.low, Math.min(v.high, y));
    }
};

export const requantizeReference = (v: Values<typeof requantizeArgs>): void => {
  for (let i = 0; i < v.m; i++)
    for (let j = 0; j < v.n; j++) {
      const product = fround(fround(v.x[i * v.n + j]!) * v.scales[j]!);
      v.y[i * v.n + j] = Math.max(v.low, Math.min(v.high, roundEven(product) + v.zero));
    }
};
