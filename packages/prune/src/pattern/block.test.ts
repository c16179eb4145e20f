import { createRng, layers, type Model, makeNode, type ReportEntry, runPass } from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { brokenMasks, type MagnitudeOptions, magnitude, masksOf, sparseGpt, wanda } from "../index.ts";
import { dropBlocks } from "./block.ts";

const [rows, columns] = [8, 16];

const scoresOf = (seed: number): Float32Array => {
  const rng = createRng(seed);
  return Float32Array.from({ length: rows * columns }, () => rng.uniform());
};

/** [n, 16] -> [n, 8] */
const product = (): Model =>
  tinyModel({
    inputs: { x: ["float32", ["n", columns]] },
    outputs: ["y"],
    weights: { w: gaussian([columns, rows], 4) },
    nodes: [makeNode("MatMul", ["x", "w"], ["y"], {}, { name: "product" })],
  });
const data = { ort, calibration: () => [{ x: gaussian([32, columns], 5) }] };

const weightOf = (model: Model) => layers(model)[0].weight.read();

describe("dropBlocks", () => {
  it.each([
    [4, 4],
    [1, 8],
    [8, 1],
  ])("takes whole blocks of %d × %d, as many as asked for, those with the lowest sums", (height, width) => {
    const scores = scoresOf(height);
    const drop = new Uint8Array(scores.length);
    dropBlocks(scores, columns, { height, width }, "layer", 0.5, drop);
    const sums = new Map<string, { sum: number; gone: number }>();
    for (const [i, score] of scores.entries()) {
      const key = `${Math.floor(Math.floor(i / columns) / height)} ${Math.floor((i % columns) / width)}`;
      const before = sums.get(key) ?? { sum: 0, gone: 0 };
      sums.set(key, { sum: before.sum + score, gone: before.gone + drop[i] });
    }
    const sorted = [...sums.values()].sort((a, b) => a.sum - b.sum);
    const half = sorted.length / 2;
    expect(sorted.map(({ gone }) => gone)).toEqual(sorted.map((_, i) => (i < half ? height * width : 0)));
  });

  it("takes the same share of each band of outputs with scope row", () => {
    const drop = new Uint8Array(rows * columns);
    dropBlocks(scoresOf(3), columns, { height: 4, width: 4 }, "row", 0.5, drop);
    for (const band of [0, 1]) {
      const part = drop.subarray(band * 4 * columns, (band + 1) * 4 * columns);
      expect(part.reduce((sum, value) => sum + value, 0)).toBe(2 * 16);
    }
  });
});

describe("patterns of blocks", () => {
  it.each([
    ["magnitude", magnitude({ pattern: "4x4", sparsity: 0.5 })],
    ["wanda", wanda({ pattern: "4x4", sparsity: 0.5, scope: "layer" })],
  ])("%s sets half of the 4 × 4 blocks to zero, and notes the pattern in the mask", async (_, pass) => {
    const pruned = await runPass(product(), pass, data);
    const w = await weightOf(pruned);
    expect(w.filter((value) => value === 0)).toHaveLength(w.length / 2);
    expect(masksOf(pruned).get("w")).toEqual({ zeros: w.length / 2, pattern: "4x4" });
    expect(await brokenMasks(pruned)).toEqual([]);
  });

  it("sees a mask of blocks as broken once a zero is filled in", async () => {
    const pruned = await runPass(product(), magnitude({ pattern: "1x8" }));
    const w = (pruned.graph.weights.get("w")!.data as Float32Array).slice();
    w[w.indexOf(0)] = 1;
    const weights = new Map([["w", { ...pruned.graph.weights.get("w")!, data: w } as never]]);
    expect(await brokenMasks({ ...pruned, graph: { ...pruned.graph, weights } })).toEqual(["w"]);
  });

  it("leaves layers that blocks do not fill, and says why", async () => {
    const entries: ReportEntry[] = [];
    const model = product();
    const report = (entry: ReportEntry) => entries.push(entry);
    const left = await runPass(model, magnitude({ pattern: "3x4" }), { report });
    expect(await weightOf(left)).toEqual(await weightOf(model));
    expect(entries).toEqual([
      expect.objectContaining({ action: "skipped", reason: expect.stringContaining("do not fill") }),
    ]);
  });

  const refused: [string, MagnitudeOptions][] = [
    ["blocks of one weight", { pattern: "1x1" }],
    ["blocks without height", { pattern: "0x4" }],
    ["blocks across layers", { pattern: "4x4", scope: "global" }],
    ["blocks by quality", { pattern: "4x4", quality: 1 }],
  ];
  it.each(refused)("refuses %s with BAD_OPTION", (_, options) => {
    expect(() => magnitude(options)).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
  });

  it("refuses blocks where single weights are solved for, with BAD_OPTION", () => {
    expect(() => sparseGpt({ pattern: "4x4" })).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
  });
});
