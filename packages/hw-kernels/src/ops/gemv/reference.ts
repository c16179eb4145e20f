import type { Values } from "../../op.ts";
import type { gemvArgs } from "./op.ts";

export const gemvReference = (v: Values<typeof gemvArgs>): void => {
  const [along, across] = v.transposed ? [v.stride, 1] : [1, v.stride];
  const [n, m] = v.transposed ? [v.rows, v.columns] : [v.columns, v.rows];
  for (let i = 0; i < m; i++) {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += v.w[i * across + k * along]! * v.x[k]!;
    const full = v.alpha * sum + (v.beta === 0 ? 0 : v.beta * v.y[i]!) + (v.bias[i] ?? 0);
    v.y[i] = Math.max(v.low, Math.min(v.high, full));
  }
};
