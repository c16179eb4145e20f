import { describe, expect, it } from "vitest";
import { factoredSize, largestUsefulRank, rankForRatio } from "../factor/factors.ts";
import { type Candidate, rankOf, ranksInBudget } from "./choose-ranks.ts";
import { rankRule } from "./rank-options.ts";

const candidate = (m: number, n: number, decay: number): Candidate => {
  const errors = Float64Array.from({ length: Math.min(m, n) + 1 }, (_, r) =>
    r === Math.min(m, n) ? 0 : Math.exp(-decay * r),
  );
  return { m, n, groups: 1, errors };
};

describe("ranks", () => {
  it("R-01: break-even is m n / (m + n): one rank more saves nothing", () => {
    for (const [m, n] of [
      [10, 10],
      [256, 704],
      [3, 1000],
      [7, 5],
    ]) {
      const rank = largestUsefulRank(m, n);
      expect(factoredSize(m, n, rank)).toBeLessThan(m * n);
      expect(factoredSize(m, n, rank + 1)).toBeGreaterThanOrEqual(m * n);
    }
    expect(factoredSize(256, 704, rankForRatio(256, 704, 0.2))).toBeLessThanOrEqual(0.8 * 256 * 704);
  });

  it("energy keeps the smallest rank that holds its share, and leaves layers whole that would not shrink", () => {
    const given = candidate(40, 40, 0.5);
    const rank = rankOf(given, rankRule("x", { energy: 0.9 })) as number;
    expect(given.errors![rank]).toBeLessThanOrEqual(0.1 * given.errors![0]);
    expect(given.errors![rank - 1]).toBeGreaterThan(0.1 * given.errors![0]);
    expect(rankOf(candidate(40, 40, 0.01), rankRule("x", { energy: 0.999 }))).toMatch(/would take/);
  });

  it("a budget is kept, and given to the layer whose spectrum needs it", () => {
    const given = [candidate(60, 60, 0.02), candidate(60, 60, 0.5), candidate(30, 90, 0.1)];
    const ranks = ranksInBudget("x", given, 0.5);
    const size = ranks.reduce<number>(
      (sum, rank, i) => sum + (typeof rank === "string" ? given[i].m * given[i].n : rank * (given[i].m + given[i].n)),
      0,
    );
    expect(size).toBeLessThanOrEqual(0.5 * (3600 + 3600 + 2700));
    // flat: left whole, or at least of a higher rank than the steep one of the same size
    expect(ranks[1]).toBeLessThan(typeof ranks[0] === "string" ? 60 : ranks[0]);
    expect(() => ranksInBudget("x", given, 0.999)).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
  });

  it("two rules at once, shares of 0, 1 and NaN, and ranks that are no whole numbers are BAD_OPTION", () => {
    for (const bad of [
      { ratio: 0.1, rank: 3 },
      { ratio: 0 },
      { ratio: 1 },
      { energy: 1.1 },
      { budget: Number.NaN },
      { rank: 0 },
      { rank: 1.5 },
    ])
      expect(() => rankRule("x", bad)).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
    expect(rankRule("x", {})).toEqual({ kind: "ratio", share: 0.2 });
  });
});
