import type { Values } from "../../op.ts";
import type { update64Args } from "./op.ts";

export const update64Reference = ({ a, v, w, u, p, n, stride, from, to }: Values<typeof update64Args>): void => {
  for (let i = from; i < to; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) {
      a[i * stride + j]! -= v[i]! * w[j]! + w[i]! * v[j]!;
      sum += a[i * stride + j]! * u[j]!;
    }
    p[i] = sum;
  }
};
