import { testPass, tinyTransformer } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { applied, inBoth, node, outputOf, relativeL2 } from "../../test/runtimes.ts";
import { aciq } from "./aciq.ts";

describe("aciq", () => {
  testPass(it, () => aciq({ float16Below: 0, allocate: true, bits: 5 }), { ort: node });

  it("Q-11: both runtimes run its forms alike to 1e-4, within 25 % of float at 4 bits", async () => {
    const { model, samples } = tinyTransformer();
    const float = await outputOf(node, model, samples[0]!);
    for (const options of [{}, { correct: false }, { symmetric: true }, { form: "decode" }] as const) {
      const { model: made, entries } = await applied(model, aciq({ float16Below: 0, sensitive: [], ...options }));
      expect(entries.filter(({ action }) => action === "changed").length).toBeGreaterThan(4);
      const [first, second] = await inBoth(made, samples[0]!);
      expect(relativeL2(second!.data, first!.data)).toBeLessThan(1e-4);
      expect(relativeL2(first!.data, float.data)).toBeLessThan(0.25);
    }
  });

  it("Q-11: gives layers bits by their range, reported in their forms", async () => {
    const { model } = tinyTransformer();
    const { entries } = await applied(model, aciq({ float16Below: 0, sensitive: [], allocate: true, bits: 5 }));
    const widths = new Set(entries.flatMap(({ form }) => form?.match(/(\d) bits/)?.[1] ?? []));
    expect(widths.size).toBeGreaterThan(1);
  });
});
