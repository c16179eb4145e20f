import type { Values } from "../../op.ts";
import { type jacobi64Args, LEAST_ANGLE } from "./op.ts";

const dot = (x: Float64Array, i: number, j: number, length: number) => {
  let sum = 0;
  for (let k = 0; k < length; k++) sum += x[i * length + k]! * x[j * length + k]!;
  return sum;
};

const rotate = (x: Float64Array, i: number, j: number, length: number, c: number, s: number) => {
  for (let k = 0; k < length; k++) {
    const [a, b] = [x[i * length + k]!, x[j * length + k]!];
    x[i * length + k] = c * a - s * b;
    x[j * length + k] = s * a + c * b;
  }
};

export const jacobi64Reference = ({ w, v, turned, n, m, k, noise }: Values<typeof jacobi64Args>): void => {
  turned[0] = 0;
  for (let i = 0; i < n - 1; i++)
    for (let j = i + 1; j < n; j++) {
      const [a, b, product] = [dot(w, i, i, m), dot(w, j, j, m), dot(w, i, j, m)];
      const [least, most] = [Math.min(a, b), Math.max(a, b)];
      if (most <= noise || product * product <= LEAST_ANGLE ** 2 * m * a * b) continue;
      if (least <= noise && product * product <= noise * most * LEAST_ANGLE) continue;
      turned[0]!++;
      const zeta = (b - a) / (2 * product);
      const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
      const c = 1 / Math.sqrt(1 + t * t);
      rotate(w, i, j, m, c, c * t);
      rotate(v, i, j, k, c, c * t);
    }
};
