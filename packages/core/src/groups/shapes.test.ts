import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { convCases, rowCases } from "../../test/group-cases.ts";
import type { Case } from "../../test/group-graph.ts";
import { type Group, groups, type Model, mask, measureSize, openSession, type Removals, shrink } from "../index.ts";
import { expectClose } from "../testing/index.ts";

const BOUND = 1e-5;

const outputOf = async (model: Model, feeds: Parameters<typeof expectSame>[1]) => {
  const session = await openSession(ort, model, { threads: 1, ortOptions: { graphOptimizationLevel: "disabled" } });
  try {
    return Object.values(await session.run(feeds))[0];
  } finally {
    await session.release();
  }
};

/** Shrunk and masked give the same, and the shrunk one is smaller; what comes out of both. */
async function expectSame(model: Model, feeds: ReturnType<Case[1]>["feeds"], removals: Removals) {
  const small = await shrink(model, removals);
  expect(measureSize(small).parameters).toBeLessThan(measureSize(model).parameters);
  const [expected, found] = [await outputOf(await mask(model, removals), feeds), await outputOf(small, feeds)];
  expectClose(found, expected, BOUND);
  return found;
}

const sorted = (text: string) =>
  text
    .match(/\w+ \d+/g)!
    .sort()
    .join(", ");
const summary = (found: readonly Group[]) => sorted(found.map(({ kind, size }) => `${kind} ${size}`).join(" "));

const cases = Object.entries({ ...convCases, ...rowCases });

describe("every place of a graph can be removed, and the masked original gives the same within 1e-5", () => {
  it.each(cases)("%s", async (_, [wanted, make]) => {
    const { model, feeds } = make();
    const found = (await groups(model)).groups;
    expect(summary(found)).toBe(sorted(wanted));
    for (const group of found)
      for (let unit = 0; unit < group.size; unit++) await expectSame(model, feeds, new Map([[group, [unit]]]));
    const both = await expectSame(model, feeds, new Map(found.map((group) => [group, [0]])));
    const before = await outputOf(model, feeds);
    expect(() => expectClose(both, before, BOUND)).toThrow();
  });

  it("holds for 40 graphs at least", () => {
    expect(cases.length).toBeGreaterThanOrEqual(40);
  });
});
