import type { Values } from "../../op.ts";
import { roundEven } from "../round-even.ts";
import type { fakeQuantArgs } from "./op.ts";

export const fakeQuantReference = (v: Values<typeof fakeQuantArgs>): void => {
  const f = Math.fround;
  for (let row = 0; row < v.rows; row++) {
    const [scale, zero] = [v.scales[row]!, v.zeros[row]!];
    for (let i = row * v.columns; i < (row + 1) * v.columns; i++) {
      const code = f(roundEven(f(v.x[i]! / scale)) + zero);
      v.y[i] = f(f(Math.min(Math.max(code, v.lowest), v.highest) - zero) * scale);
    }
  }
};
