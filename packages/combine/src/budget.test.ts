import type { Fidelity } from "@espalier/core";
import { describe, expect, it } from "vitest";
import { budgetOf, type Found, overBudget } from "./budget.ts";

const nothing = { maxDrop: undefined, target: "node", search: false } as const;

describe("budgetOf", () => {
  it("leaves the budget of a plain recipe as it is", () => {
    expect(budgetOf(undefined, nothing)).toEqual({});
    expect(budgetOf({ bytes: 9, relativeL2: 0.2 }, nothing)).toEqual({ bytes: 9, relativeL2: 0.2 });
  });

  it("fills in what nobody said for a search: fidelity, and latency but for size", () => {
    const usual = { relativeL2: 0.1, argmaxAgreement: 0.98 };
    expect(budgetOf({}, { ...nothing, search: true })).toEqual({ ...usual, latencyRatio: 1.1 });
    expect(budgetOf({}, { ...nothing, search: true, target: "size" })).toEqual(usual);
    expect(budgetOf({ latencyRatio: 2, maxDrop: 1 }, { ...nothing, search: true })).toEqual({
      latencyRatio: 2,
      maxDrop: 1,
    });
  });

  it("puts maxDrop in place of every limit of fidelity, and keeps the others", () => {
    const own = { bytes: 9, latencyRatio: 2, relativeL2: 0.2, argmaxAgreement: 0.9, maxDrop: 5 };
    expect(budgetOf(own, { ...nothing, maxDrop: 0 })).toEqual({ bytes: 9, latencyRatio: 2, maxDrop: 0 });
  });
});

const fidelity = (relativeL2: number, argmaxAgreement: number): Fidelity => ({
  relativeL2,
  argmaxAgreement,
  sqnrDb: 0,
  cosine: 1,
  maxAbs: 0,
});

const found: Found = {
  bytes: 100,
  latencyRatio: 1.2,
  fidelity: { a: fidelity(0.05, 1), b: fidelity(0.2, 0.9), ids: fidelity(3, 0.4) },
  counted: [
    { name: "a", float: true },
    { name: "b", float: true },
  ],
};

const metrics = (before: number, after: number, better: "lower" | "higher"): Found => ({
  ...found,
  metrics: { before: { score: { value: before, better } }, after: { score: { value: after, better } } },
});

const reasons = (what: Found, budget: Parameters<typeof overBudget>[1]) =>
  overBudget(what, budget).map((one) => one.reason);

describe("overBudget", () => {
  it("names every limit that is not kept, with the output, and how many times over", () => {
    const over = overBudget(found, { bytes: 50, relativeL2: 0.1, argmaxAgreement: 0.95, latencyRatio: 1.1 });
    expect(over.map(({ reason }) => reason)).toEqual([
      "bytes 100, at most 50",
      'relative L2 of "b" 0.2, at most 0.1',
      'argmax agreement of "b" 0.9, at least 0.95',
      "latency over the input's 1.2, at most 1.1",
    ]);
    for (const [i, times] of [2, 2, 2, 1.2 / 1.1].entries()) expect(over[i]!.times).toBeCloseTo(times, 9);
  });

  it("is empty where all limits are kept, to the last", () => {
    expect(reasons(found, { bytes: 100, relativeL2: 0.2, argmaxAgreement: 0.9, latencyRatio: 1.2 })).toEqual([]);
    expect(reasons({ bytes: 100 }, { relativeL2: 0, latencyRatio: 0.1 })).toEqual([]);
  });

  it("takes the drop of the first metric in its better direction, and gains as none", () => {
    expect(reasons(metrics(0.9, 0.88, "higher"), { maxDrop: 0.01 })).toEqual(["drop of score 0.02, at most 0.01"]);
    expect(reasons(metrics(3.8, 4.9, "lower"), { maxDrop: 1 })).toEqual(["drop of score 1.1, at most 1"]);
    expect(reasons(metrics(0.9, 0.95, "higher"), { maxDrop: 0 })).toEqual([]);
    expect(reasons(metrics(3.8, 3.1, "lower"), { maxDrop: 0 })).toEqual([]);
    // 0.91 - 0.9 is 0.010000000000000009
    expect(reasons(metrics(0.91, 0.9, "higher"), { maxDrop: 0.01 })).toEqual([]);
  });

  it("is over for a metric that is NaN or gone", () => {
    expect(reasons(metrics(0.9, Number.NaN, "higher"), { maxDrop: 0.01 })).toHaveLength(1);
  });

  it("takes maxDrop as relative L2 distance without metrics; of integers, as the share of other values", () => {
    expect(reasons(found, { maxDrop: 0.1 })).toEqual(['relative L2 of "b" 0.2, at most 0.1']);
    const ids: Found = { ...found, counted: [{ name: "ids", float: false }] };
    expect(reasons(ids, { maxDrop: 0.7 })).toEqual([]);
    expect(reasons(ids, { maxDrop: 0.5 })).toEqual(['share of other values in "ids" 0.6, at most 0.5']);
  });
});
