import { type Feeds, type Model, runPass } from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { applied, node, nodeOf, outputOf, relativeL2 } from "../../test/runtimes.ts";
import { type StaticInt8Options, staticInt8 } from "./static-int8.ts";

const dims = [1, 12, 6, 6];
const LAYERS = 5;
const OUTLYING = 2;
const names = Array.from({ length: LAYERS }, (_, i) => `Conv_c${i}`);

/** Convolutions one after another; between the third and the fourth lies a channel that is 60 times as large and unread. */
const network = (): Model => {
  const weights = Object.fromEntries(
    names.map((_, i) => [`w${i}`, gaussian([12, 12, 1, 1], 20 + i, Math.sqrt(2 / 12))]),
  );
  for (let i = 0; i < 12; i++) {
    weights.w2!.data[OUTLYING * 12 + i]! *= 60;
    weights.w3!.data[i * 12 + OUTLYING]! = 0;
  }
  return tinyModel({
    inputs: { x: ["float32", dims] },
    outputs: [`r${LAYERS - 1}`],
    weights,
    nodes: names.flatMap((_, i) => [
      nodeOf("Conv", [i === 0 ? "x" : `r${i - 1}`, `w${i}`], `c${i}`),
      nodeOf("Relu", [`c${i}`], `r${i}`),
    ]),
  });
};

const samples: Feeds[] = [1, 2, 3].map((seed) => ({ x: gaussian(dims, seed) }));
const context = { ort: node, calibration: () => samples };
const quantized = (float: StaticInt8Options["float"]) => staticInt8({ calibrator: "minmax", float: float! });

/** Relative L2 distance over all samples. */
const distanceOf = async (made: Model): Promise<number> => {
  const both = { made: [] as number[], wanted: [] as number[] };
  for (const feeds of samples) {
    both.made.push(...(await outputOf(node, made, feeds)).data);
    both.wanted.push(...(await outputOf(node, network(), feeds)).data);
  }
  return relativeL2(both.made, both.wanted);
};

const floatLayers = async (within: number) => {
  const { model, entries } = await applied(network(), quantized({ within }), context);
  const integer = new Set(entries.filter(({ form }) => form?.startsWith("QDQ")).map(({ layer }) => layer));
  return { model, float: names.filter((name) => !integer.has(name)) };
};

describe("staticInt8, float: { within }", () => {
  it("leaves no other layers in float than those that meet the outlying channel, where that is enough", async () => {
    const { float } = await floatLayers(0.05);
    expect(float.length).toBeGreaterThan(0);
    for (const name of float) expect(["Conv_c2", "Conv_c3"]).toContain(name);
  });

  it("leaves none where the bound is kept without, and all where none would keep it", async () => {
    expect((await floatLayers(0.9)).float).toEqual([]);
    expect((await floatLayers(1e-6)).float).toEqual(names);
  });

  it("keeps the bound with at most one layer more than the best of all 32 choices", async () => {
    const choices: { readonly count: number; readonly distance: number }[] = [];
    for (let mask = 0; mask < 2 ** LAYERS; mask++) {
      const float = names.filter((_, i) => mask & (1 << i));
      const made = await runPass(network(), quantized(float.length > 0 ? float : "none"), context);
      choices.push({ count: float.length, distance: await distanceOf(made) });
    }
    const distances = choices.map(({ distance }) => distance).sort((a, b) => a - b);
    for (const within of [1, 4, 16, 28].map((at) => distances[at]! * 1.001)) {
      const least = Math.min(...choices.filter(({ distance }) => distance <= within).map(({ count }) => count));
      const { model, float } = await floatLayers(within);
      expect(await distanceOf(model)).toBeLessThanOrEqual(within * 1.001);
      expect(float.length).toBeLessThanOrEqual(least + 1);
    }
  });
});
