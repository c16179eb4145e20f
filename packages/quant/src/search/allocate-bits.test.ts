import { createRng } from "@espalier/core";
import { describe, expect, it } from "vitest";
import { allocateBits, type Choice, paretoFront } from "./allocate-bits.ts";

const problem = (seed: number, layers: number, choices: number): Choice[][] => {
  const rng = createRng(seed);
  return Array.from({ length: layers }, () =>
    Array.from({ length: choices }, (_, at) => ({ cost: 1 + rng.below(12) + 3 * at, error: rng.uniform() / (1 + at) })),
  );
};

/** Cost and error of every way to choose. */
const everyWay = (layers: readonly (readonly Choice[])[]) =>
  layers.reduce<{ cost: number; error: number }[]>(
    (sums, choices) =>
      sums.flatMap((sum) => choices.map(({ cost, error }) => ({ cost: sum.cost + cost, error: sum.error + error }))),
    [{ cost: 0, error: 0 }],
  );

const sumOf = (layers: readonly (readonly Choice[])[], picks: readonly number[]) => ({
  cost: picks.reduce((sum, pick, l) => sum + layers[l]![pick]!.cost, 0),
  error: picks.reduce((sum, pick, l) => sum + layers[l]![pick]!.error, 0),
});

describe("Q-19: allocateBits", () => {
  it("finds the least error of all 3^7 ways under every budget, for 12 problems", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const layers = problem(seed, 7, 3);
      const ways = everyWay(layers);
      for (let budget = 10; budget <= 130; budget += 7) {
        const best = Math.min(...ways.filter(({ cost }) => cost <= budget).map(({ error }) => error));
        const picks = allocateBits(layers, budget);
        if (best === Number.POSITIVE_INFINITY) expect(picks).toBeUndefined();
        else {
          const { cost, error } = sumOf(layers, picks!);
          expect(cost).toBeLessThanOrEqual(budget);
          expect(error).toBeCloseTo(best, 12);
        }
      }
    }
  });

  it("is never worse than one choice for all, nor than taking the largest gain a cost first", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const layers = problem(seed, 10, 3);
      for (const choice of [0, 1, 2]) {
        const uniform = sumOf(
          layers,
          layers.map(() => choice),
        );
        expect(sumOf(layers, allocateBits(layers, uniform.cost)!).error).toBeLessThanOrEqual(uniform.error + 1e-12);
      }
      const picks = layers.map((own) => own.reduce((at, { cost }, i) => (cost < own[at]!.cost ? i : at), 0));
      const budget = sumOf(layers, picks).cost + 40;
      for (;;) {
        const { cost } = sumOf(layers, picks);
        const steps = layers.flatMap((own, l) =>
          own.map((choice, pick) => {
            const now = own[picks[l]!]!;
            return { l, pick, more: choice.cost - now.cost, gain: now.error - choice.error };
          }),
        );
        const fits = steps.filter(({ more, gain }) => gain > 0 && cost + more <= budget);
        if (fits.length === 0) break;
        const rate = ({ gain, more }: (typeof fits)[number]) => (more > 0 ? gain / more : Number.POSITIVE_INFINITY);
        const step = fits.reduce((a, b) => (rate(b) > rate(a) ? b : a));
        picks[step.l] = step.pick;
      }
      expect(sumOf(layers, allocateBits(layers, budget)!).error).toBeLessThanOrEqual(
        sumOf(layers, picks).error + 1e-12,
      );
    }
  });
});

describe("Q-19: paretoFront", () => {
  it("has the undominated sums of all 3^7 ways, and picks that make them", () => {
    const layers = problem(5, 7, 3);
    const ways = everyWay(layers).sort((a, b) => a.cost - b.cost || a.error - b.error);
    let least = Number.POSITIVE_INFINITY;
    const wanted = ways.filter(({ error }) => {
      if (error >= least - 1e-12) return false;
      least = error;
      return true;
    });
    const front = paretoFront(layers);
    expect(front.map(({ cost }) => cost)).toEqual(wanted.map(({ cost }) => cost));
    for (const point of front) {
      const sum = sumOf(layers, point.picks);
      expect(sum.cost).toBe(point.cost);
      expect(sum.error).toBeCloseTo(point.error, 12);
    }
  });
});
