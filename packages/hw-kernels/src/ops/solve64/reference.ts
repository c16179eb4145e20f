import type { Values } from "../../op.ts";
import type { solve64Args } from "./args.ts";

/**
 * Each of the four cases as one forward substitution: element (i, c) of the unknowns lies at `at(i, c)`, and the triangle
 * that they are solved by has the elements `l(i, j)`, j <= i. A transposed triangle is gone through from its end.
 */
export const triangleSteps = ({ l, n, strideL, strideX, transposed, across }: Values<typeof solve64Args>) => {
  const from = (i: number) => (transposed ? n - 1 - i : i);
  return {
    at: (i: number, c: number) => (across ? c * strideX + from(i) : from(i) * strideX + c),
    l: (i: number, j: number) => (transposed ? l[from(j) * strideL + from(i)]! : l[i * strideL + j]!),
  };
};

export const solve64Reference = (v: Values<typeof solve64Args>): void => {
  const { at, l } = triangleSteps(v);
  for (let c = 0; c < v.count; c++)
    for (let i = 0; i < v.n; i++) {
      let rest = v.x[at(i, c)]!;
      for (let j = 0; j < i; j++) rest -= l(i, j) * v.x[at(j, c)]!;
      v.x[at(i, c)] = rest / l(i, i);
    }
};
