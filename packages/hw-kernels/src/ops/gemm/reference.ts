import type { Values } from "../../op.ts";
import type { gemmArgs } from "./op.ts";

export const gemmReference = (v: Values<typeof gemmArgs>): void => {
  const [alongA, acrossA] = v.transA ? [v.strideA, 1] : [1, v.strideA];
  const [alongB, acrossB] = v.transB ? [1, v.strideB] : [v.strideB, 1];
  for (let l = 0; l < v.batch; l++)
    for (let i = 0; i < v.m; i++)
      for (let j = 0; j < v.n; j++) {
        const a = l * v.stepA + i * acrossA;
        const b = l * v.stepB + j * acrossB;
        const c = l * v.stepC + i * v.strideC + j;
        let sum = 0;
        for (let p = 0; p < v.k; p++) sum += v.a[a + p * alongA]! * v.b[b + p * alongB]!;
        const full = v.alpha * sum + (v.beta === 0 ? 0 : v.beta * v.c[c]!) + (v.bias[j] ?? 0);
        v.c[c] = Math.max(v.low, Math.min(v.high, full));
      }
};
