import { type Model, measureSize, runPass } from "@espalier/core";
import { testPass, tinyTransformer } from "@espalier/core/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { classifier, pictures } from "../../test/classifier.ts";
import { applied, inBoth, node, relativeL2 } from "../../test/runtimes.ts";
import type { FrontPoint } from "../search/allocate-bits.ts";
import { type MixedPrecisionOptions, mixedPrecision } from "./mixed-precision.ts";
import { rtn } from "./rtn.ts";

const choices = [{ bits: 8 }, { bits: 4 }, { bits: 2 }] as const;

describe("mixedPrecision", () => {
  testPass(it, () => mixedPrecision({ choices, budget: { bits: 16 } }), { ort: node });

  const { model, samples } = tinyTransformer();
  const context = { ort: node, calibration: () => samples };

  it("Q-19: keeps a budget of bytes with each sensitivity, and both runtimes agree on the result to 1e-4", async () => {
    const eight = measureSize(await runPass(model, rtn({ bits: 8, float16Below: 0 }))).bytes;
    const four = measureSize(await runPass(model, rtn({ bits: 4, float16Below: 0, sensitive: [] }))).bytes;
    for (const sensitivity of ["output", "trace", "kl"] as const) {
      const budget = { bytes: Math.floor((eight + four) / 2) };
      const made = await runPass(model, mixedPrecision({ choices, budget, sensitivity }), context);
      expect(measureSize(made).bytes).toBeLessThanOrEqual(budget.bytes * 1.03);
      const [first, second] = await inBoth(made, samples[0]!);
      expect(relativeL2(second!.data, first!.data)).toBeLessThan(1e-4);
    }
  });

  it("keeps a budget of time, and gives the costs of its front in microseconds", async () => {
    let front: readonly FrontPoint[] = [];
    const onFront: MixedPrecisionOptions["onFront"] = (points) => (front = points);
    await runPass(model, mixedPrecision({ choices, budget: { latency: 5 }, onFront }), context);
    expect(front.length).toBeGreaterThan(0);
  });

  it("refuses a budget that nothing keeps, two budgets, and none", async () => {
    const small = runPass(model, mixedPrecision({ choices, budget: { bits: 0.1 } }), context);
    await expect(small).rejects.toMatchObject({ code: "BAD_OPTION" });
    expect(() => mixedPrecision({ budget: { bits: 4, bytes: 1000 } })).toThrow(/budget/);
    expect(() => mixedPrecision({ budget: {} })).toThrow(/budget/);
  });
});

describe("mixedPrecision on PP-OCR's classifier", () => {
  let model: Model;
  beforeAll(async () => {
    model = await classifier();
  });

  it("Q-19: at the bytes of 4 bits for all, the sum of layers' errors is at most theirs, and less on the front", async () => {
    const calibration = () => pictures(4);
    const uniform = { bits: 4, sensitive: [], float16Below: 0 } as const;
    const { entries } = await applied(model, rtn(uniform), { ort: node });
    const changed = entries.filter(({ action }) => action === "changed");
    const stored = changed.reduce((sum, { bytesBefore }) => sum + bytesBefore!, 0);
    const kept = changed.reduce((sum, { bytesAfter }) => sum + bytesAfter!, 0);
    const found = new Map<string, { front: readonly FrontPoint[]; chosen: FrontPoint }>();
    for (const [name, own] of [
      ["all", [{ bits: 4 }]],
      ["mixed", choices],
    ] as const) {
      const pass = mixedPrecision({
        choices: own,
        budget: { bytes: measureSize(model).bytes - stored + kept + 2000 },
        onFront: (front, chosen) => found.set(name, { front, chosen }),
      });
      await runPass(model, pass, { ort: node, calibration });
    }
    expect(found.get("mixed")!.chosen.error).toBeLessThan(found.get("all")!.chosen.error);
    const { front } = found.get("mixed")!;
    for (let i = 1; i < front.length; i++) {
      expect(front[i]!.cost).toBeGreaterThan(front[i - 1]!.cost);
      expect(front[i]!.error).toBeLessThan(front[i - 1]!.error);
    }
  });
});
