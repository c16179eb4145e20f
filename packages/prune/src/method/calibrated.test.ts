import {
  attrs,
  compareModels,
  type Feeds,
  layers,
  type Model,
  makeNode,
  openSession,
  type Pass,
  type ReportEntry,
  runPass,
  type Tensor,
  tensor,
} from "@espalier/core";
import { gaussian, testPass, tinyModel, tinyModels } from "@espalier/core/testing";
import * as ort from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { linearModel, outputError, toy } from "../../test/toy.ts";
import { roundHalfEven } from "../half-even.ts";
import { brokenMasks, magnitude, masksOf, nm, obs, type Quantizer, sparseGpt, wanda } from "../index.ts";

web.env.wasm.numThreads = 1;

const step = 0.05;
const toStep: Quantizer = () => (value) => step * roundHalfEven(value / step);
const passes: Readonly<Record<string, (pattern?: string) => Pass>> = {
  wanda: (pattern) => wanda(pattern ? { pattern } : {}),
  sparseGpt: (pattern) => sparseGpt(pattern ? { pattern } : {}),
  obs: (pattern) => obs(pattern ? { pattern } : {}),
  "nm by Wanda's score": (pattern) => nm({ score: "wanda", ...(pattern && { pattern }) }),
};
const { mlp, conv, transformer } = tinyModels;
describe("sparseGpt", () => testPass(it, () => sparseGpt(), { ort, models: { mlp, conv, transformer } }));
describe("wanda", () => testPass(it, () => wanda(), { ort, models: { conv, transformer } }));
describe("obs", () => testPass(it, () => obs(), { ort, models: { conv } }));
describe("nm by Wanda's score, permuted", () =>
  testPass(it, () => nm({ score: "wanda", permute: true }), { ort, models: { conv } }));
describe("nm", () => testPass(it, () => nm({ permute: true }), { ort, models: { mlp } }));
describe("sparseGpt, OWL", () => testPass(it, () => sparseGpt({ ratios: "owl" }), { ort, models: { mlp } }));
describe("sparseGpt, rounding", () => testPass(it, () => sparseGpt({ quantize: toStep }), { ort, models: { mlp } }));

const valuesOf = async (model: Model): Promise<Float32Array[]> =>
  Promise.all(layers(model).map(({ weight }) => weight.read()));
const run = (model: Model, pass: Pass, samples: readonly Feeds[], report?: (entry: ReportEntry) => void) =>
  runPass(model, pass, { ort, calibration: () => samples, ...(report && { report }) });
const errorOf = async (model: Model, pass: Pass, samples: readonly Feeds[]) =>
  (await compareModels(model, await run(model, pass, samples), { ort, data: () => samples })).outputs.y.relativeL2;
const zeros = (values: ArrayLike<number>) => Array.from(values).filter((value) => value === 0).length;

describe("passes that see the input", () => {
  it("PL-02: at half the weights, over 5 seeds, magnitude errs 5 times as much as Wanda, Wanda more than SparseGPT, SparseGPT more than OBS", async () => {
    const errors = { magnitude: 0, wanda: 0, sparseGpt: 0, obs: 0 };
    const made = { magnitude, wanda, sparseGpt, obs };
    for (let seed = 1; seed <= 5; seed++) {
      const { model, feeds, w, H } = toy(seed);
      const scale = w.reduce((sum, value) => sum + value * value, 0);
      for (const name of Object.keys(errors) as (keyof typeof errors)[]) {
        const [values] = await valuesOf(await run(model, made[name](), [feeds]));
        errors[name] += Math.log(outputError(values, w, H) / scale) / 5;
      }
    }
    expect(errors.magnitude - errors.wanda).toBeGreaterThan(Math.log(5));
    expect(errors.wanda).toBeGreaterThan(errors.sparseGpt);
    expect(errors.sparseGpt).toBeGreaterThan(errors.obs);
  });

  it("PL-03: with XᵀX the identity Wanda is magnitude by rows, and each row loses as many", async () => {
    const n = 24;
    const model = linearModel(gaussian([10, n], 4));
    const x = new Float32Array(n * n);
    for (let i = 0; i < n; i++) x[i * n + i] = 1;
    const samples = [{ x: tensor("float32", [n, n], x) }];
    for (const sparsity of [0.25, 0.5, 0.7]) {
      const [[found], [expected]] = [
        await valuesOf(await run(model, wanda({ sparsity }), samples)),
        await valuesOf(await run(model, magnitude({ sparsity, scope: "row" }), samples)),
      ];
      expect(found).toEqual(expected);
      for (let from = 0; from < found.length; from += n)
        expect(zeros(found.subarray(from, from + n))).toBe(zeros(found.subarray(0, n)));
    }
  });

  it("PL-04: every method keeps N of each M, with corrected values, and says so in the metadata", async () => {
    const { model, feeds } = toy(5);
    for (const make of Object.values(passes))
      for (const [keep, of] of [
        [2, 4],
        [1, 4],
        [3, 8],
      ]) {
        const made = await run(model, make(`${keep}:${of}`), [feeds]);
        const [values] = await valuesOf(made);
        for (let from = 0; from < values.length; from += of)
          expect(zeros(values.subarray(from, from + of))).toBe(of - keep);
        expect(masksOf(made).get("w")).toMatchObject({ pattern: `${keep}:${of}` });
        expect(await brokenMasks(made)).toEqual([]);
      }
  });

  it("PL-02: half of each layer goes, and beyond it only weights of inputs that are always zero", async () => {
    const { model, samples } = tinyModels.conv();
    const made = await valuesOf(await run(model, sparseGpt(), samples));
    for (const values of made) expect(zeros(values)).toBeGreaterThanOrEqual(values.length / 2 - 0.5);
    const { model: alone, feeds } = toy(6);
    for (const sparsity of [0.3, 0.5, 0.77]) {
      const [values] = await valuesOf(await run(alone, sparseGpt({ sparsity, blockSize: 20 }), [feeds]));
      expect(Math.abs(zeros(values) - sparsity * values.length)).toBeLessThanOrEqual(0.5);
    }
  });

  const space = { pads: attrs.ints([1, 1, 1, 1]) };
  const convs: Readonly<Record<string, [w: Tensor, node: Parameters<typeof makeNode>[3], op: string]>> = {
    Conv: [gaussian([12, 8, 3, 3], 6), space, "Conv"],
    "Conv in groups": [gaussian([12, 4, 3, 3], 7), { ...space, group: attrs.int(2) }, "Conv"],
    ConvTranspose: [gaussian([8, 6, 3, 3], 8), { strides: attrs.ints([2, 2]) }, "ConvTranspose"],
    "ConvTranspose in groups": [gaussian([8, 6, 2, 2], 9), { group: attrs.int(2) }, "ConvTranspose"],
  };
  it.each(Object.entries(convs))(
    "PL-02: %s: SparseGPT errs less than Wanda, Wanda less than magnitude",
    async (_, [w, attributes, op]) => {
      const model = tinyModel({
        inputs: { x: ["float32", [1, 8, 7, 7]] },
        outputs: ["y"],
        weights: { w },
        nodes: [makeNode(op, ["x", "w"], ["y"], attributes, { name: "layer" })],
      });
      // channels of different sizes, each mixed with the next
      const samples = [1, 2, 3, 4].map((seed) => {
        const x = gaussian([1, 8, 7, 7], 30 + seed);
        const mixed = x.data.map(
          (value, i) => (value + 0.7 * x.data[(i + 49) % x.data.length]) * 2 ** -((i / 49) >> 1),
        );
        return { x: tensor("float32", x.dims, mixed) };
      });
      const [a, b, c] = [
        await errorOf(model, magnitude(), samples),
        await errorOf(model, wanda(), samples),
        await errorOf(model, sparseGpt(), samples),
      ];
      expect(b).toBeLessThan(a);
      expect(c).toBeLessThan(b);
    },
  );

  it("in sequence, each segment is calibrated on what the pruned ones before it give: as by a pass for each layer", async () => {
    const { model, samples } = tinyModels.mlp();
    const names = layers(model).map(({ name }) => name);
    let expected = model;
    for (const name of names) expected = await run(expected, sparseGpt({ only: [name] }), samples);
    const found = await run(model, sparseGpt(), samples);
    expect(await valuesOf(found)).toEqual(await valuesOf(expected));
    const apart = await run(model, sparseGpt({ sequential: false }), samples);
    expect((await valuesOf(apart))[0]).toEqual((await valuesOf(found))[0]);
    expect((await valuesOf(apart))[1]).not.toEqual((await valuesOf(found))[1]);
  });

  it("gives layers with more outliers fewer zeros by OWL, and keeps the share of all", async () => {
    const outlying = gaussian([32, 32], 70);
    for (let i = 0; i < outlying.data.length; i += 40) outlying.data[i] *= 20;
    const model = tinyModel({
      inputs: { x: ["float32", ["t", 32]] },
      outputs: ["y"],
      weights: { a: gaussian([32, 32], 71), b: outlying },
      nodes: [
        makeNode("MatMul", ["x", "a"], ["h"], {}, { name: "first" }),
        makeNode("Relu", ["h"], ["r"]),
        makeNode("MatMul", ["r", "b"], ["y"], {}, { name: "second" }),
      ],
    });
    const samples = [{ x: gaussian([128, 32], 72) }];
    const [a, b] = await valuesOf(await run(model, wanda({ ratios: "owl", scope: "layer" }), samples));
    expect(zeros(b) / b.length).toBeCloseTo(0.42, 2);
    expect(zeros(a) + zeros(b)).toBe(a.length);
  });

  it("leaves alone, with a reason and before it calibrates, what cannot be pruned by its input", async () => {
    const bad = gaussian([8, 24], 80);
    bad.data[0] = Number.NaN;
    const entries: ReportEntry[] = [];
    let runs = 0;
    const model = linearModel(bad);
    await runPass(model, wanda(), {
      ort,
      calibration: () => {
        runs++;
        return [{ x: gaussian([4, 24], 81) }];
      },
      report: (entry) => entries.push(entry),
    });
    expect(runs).toBe(0);
    const transformer = tinyModels.transformer();
    await run(transformer.model, obs({ maxColumns: 64 }), transformer.samples, (entry) => entries.push(entry));
    await run(tinyModels.lstm().model, sparseGpt(), tinyModels.lstm().samples, (entry) => entries.push(entry));
    expect(entries.filter(({ action }) => action === "skipped").map(({ layer, reason }) => [layer, reason])).toEqual([
      ["layer", "its weights are not all finite"],
      ["e", "it is a table of embeddings"],
      ["down", "its rows have 128 weights, and maxColumns is 64; sparseGpt prunes longer ones"],
      ["y:2", "what it meets is computed inside its node"],
    ]);
  });

  it("leaves alone what meets inputs that are not finite, with the reason", async () => {
    const x = gaussian([4, 24], 82);
    x.data[5] = Number.POSITIVE_INFINITY;
    const model = linearModel(gaussian([8, 24], 83));
    for (const make of Object.values(passes)) {
      const entries: ReportEntry[] = [];
      expect(await run(model, make(), [{ x }], (entry) => entries.push(entry))).toBe(model);
      expect(entries.map(({ reason }) => reason)).toEqual(["its input is not finite"]);
    }
  });

  it("asks for calibration data and a runtime before anything else, with MISSING_NEED", async () => {
    for (const make of Object.values(passes))
      await expect(runPass(tinyModels.mlp().model, make())).rejects.toMatchObject({ code: "MISSING_NEED" });
  });

  it("refuses options out of range with BAD_OPTION", () => {
    for (const make of [
      () => wanda({ sparsity: 1 }),
      () => wanda({ pattern: "2" }),
      () => sparseGpt({ damp: -1 }),
      () => sparseGpt({ blockSize: 0 }),
      () => sparseGpt({ sparsity: 0.5, pattern: "2:4" }),
      () => obs({ maxColumns: 0 }),
      () => obs({ damp: 2 }),
      () => nm({ pattern: "1:4", permute: true }),
      () => nm({ pattern: "5:4" }),
      () => nm({ score: "size" as "wanda" }),
    ])
      expect(make).toThrow(expect.objectContaining({ code: "BAD_OPTION" }));
  });

  it("gives models that onnxruntime-web runs with the outputs of onnxruntime-node, within 1e-5", async () => {
    const { model, samples } = tinyModels.transformer();
    const made = await run(model, sparseGpt({ pattern: "2:4" }), samples);
    const outputs: Float32Array[] = [];
    for (const runtime of [ort, web]) {
      const session = await openSession(runtime, made);
      outputs.push((await session.run(samples[0])).y.data as Float32Array);
      await session.release();
    }
    outputs[0].forEach((value, i) => {
      expect(Math.abs(outputs[1][i] - value)).toBeLessThanOrEqual(1e-5);
    });
  });

  it("calibrates and prunes in onnxruntime-web as in onnxruntime-node: the same zeros", async () => {
    const { model, samples } = tinyModels.mlp();
    const [a, b] = [
      await valuesOf(await run(model, wanda(), samples)),
      await valuesOf(await runPass(model, wanda(), { ort: web, calibration: () => samples })),
    ];
    expect(b.map((values) => Array.from(values, (value) => value === 0))).toEqual(
      a.map((values) => Array.from(values, (value) => value === 0)),
    );
  });
});
