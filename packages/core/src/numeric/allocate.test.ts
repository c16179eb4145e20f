import { describe, expect, it } from "vitest";
import { allocate, type Choice } from "./allocate.ts";
import { createRng } from "./rng.ts";

const bruteForce = (layers: readonly (readonly Choice[])[], budget: number): number => {
  const [first, ...others] = layers;
  if (!first) return 0;
  return Math.min(
    ...first.map(({ cost, error }) =>
      cost <= budget ? error + bruteForce(others, budget - cost) : Number.POSITIVE_INFINITY,
    ),
  );
};

describe("allocate", () => {
  it("finds the least error of all combinations within the budget, for 200 random tables", () => {
    const rng = createRng(7);
    for (let trial = 0; trial < 200; trial++) {
      const layers = Array.from({ length: 1 + rng.below(4) }, () =>
        Array.from({ length: 1 + rng.below(4) }, () => ({ cost: rng.below(9), error: rng.uniform() })),
      );
      const budget = rng.below(20);
      const found = allocate(layers, budget);
      const best = bruteForce(layers, budget);
      expect(found === undefined).toBe(best === Number.POSITIVE_INFINITY);
      if (!found) continue;
      const picked = found.map((index, l) => layers[l][index]);
      expect(picked.reduce((sum, { cost }) => sum + cost, 0)).toBeLessThanOrEqual(budget);
      expect(picked.reduce((sum, { error }) => sum + error, 0)).toBeCloseTo(best, 12);
    }
  });
});
