import type { Values } from "../../op.ts";
import type { gemm64Args } from "./op.ts";

export const gemm64Reference = (v: Values<typeof gemm64Args>): void => {
  const [alongA, acrossA] = v.transA ? [v.strideA, 1] : [1, v.strideA];
  const [alongB, acrossB] = v.transB ? [1, v.strideB] : [v.strideB, 1];
  for (let i = 0; i < v.m; i++)
    for (let j = 0; j < Math.min(v.n, i + v.diagonal + 1); j++) {
      const at = i * v.strideC + j;
      let sum = 0;
      for (let p = 0; p < v.k; p++) sum += v.a[i * acrossA + p * alongA]! * v.b[p * alongB + j * acrossB]!;
      v.c[at] = v.alpha * sum + (v.beta === 0 ? 0 : v.beta * v.c[at]!);
    }
};
