import { tinyConv, tinyMlp } from "@espalier/core/testing";
import { expect, it } from "vitest";
import { compress } from "./compress.ts";
import { fingerprint } from "./fingerprint.ts";

const options = (more: object) => ({
  measure: false,
  recipe: { name: "m", passes: [{ pass: "@espalier/quant/rtn", options: { bits: 4, ...more } }] },
});

it("fingerprints are equal for models that are written alike, and differ where only codes do", async () => {
  const once = async (more: object) => fingerprint((await compress(tinyMlp().model, options(more))).model);
  expect(await once({})).toBe(await once({}));
  expect(await once({ clip: "mse" })).not.toBe(await once({}));
  expect(await fingerprint(tinyConv().model)).not.toBe(await fingerprint(tinyMlp().model));
});
