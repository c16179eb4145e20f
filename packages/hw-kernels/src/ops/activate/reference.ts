import type { Values } from "../../op.ts";
import { ACTIVATIONS, type activateArgs } from "./op.ts";

const sigmoid = (x: number) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));

const SERIES_LIMIT = 3;
const FRACTION_TERMS = 60;
/** erfc(z) for z >= 0: its Maclaurin series, or from 3 on its continued fraction. Source: DLMF 7.6.1, 7.9.1. */
const erfc = (z: number): number => {
  if (z < SERIES_LIMIT) {
    let [sum, term] = [0, z];
    for (let n = 0; Math.abs(term) > Number.EPSILON * 1e-3; n++) {
      sum += term / (2 * n + 1);
      term *= (-z * z) / (n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = z;
  for (let n = FRACTION_TERMS; n > 0; n--) fraction = z + n / 2 / fraction;
  return Math.exp(-z * z) / Math.sqrt(Math.PI) / fraction;
};

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;
/** x times a factor that goes to 0 as x goes to minus infinity. */
const gated = (x: number, gate: number) => (x === -Infinity ? -0 : x * gate);
const functions: Record<(typeof ACTIVATIONS)[number], (x: number) => number> = {
  gelu: (x) => gated(x, x < 0 ? erfc(-x / Math.SQRT2) / 2 : 1 - erfc(x / Math.SQRT2) / 2),
  geluTanh: (x) => gated(x, sigmoid(2 * SQRT_2_OVER_PI * (x + CUBIC * x ** 3))),
  silu: (x) => gated(x, sigmoid(x)),
  sigmoid,
};

export const activateReference = ({ x, y, count, kind }: Values<typeof activateArgs>): void => {
  const f = functions[ACTIVATIONS[kind]!];
  for (let i = 0; i < count; i++) y[i] = f(x[i]!);
};
