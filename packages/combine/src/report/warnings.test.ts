import type { ReportEntry, RuntimeSpeed } from "@espalier/core";
import { tinyConv, tinyMlp, tinyTransformer } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { compress } from "../compress.ts";
import type { Report } from "./report.ts";
import { unchangedWarning, warningsOf } from "./warnings.ts";

const changed = (form: string, node: RuntimeSpeed, web: RuntimeSpeed = node): ReportEntry => ({
  pass: "x/y",
  layer: form,
  action: "changed",
  form,
  runtimes: { node, web, webgpu: "same" },
});

const report = (layers: readonly ReportEntry[], more: Partial<Report> = {}): Report => ({
  input: { bytes: 2 },
  output: { bytes: 1 },
  recipe: "mine",
  target: "node",
  layers,
  budget: {},
  met: true,
  stopped: false,
  seconds: 1,
  warnings: [],
  ...more,
});

const warnings = (of: Report, calibrated = false) => warningsOf({ report: of, measured: undefined, calibrated });

const timing = (median: number) => ({ median, low: median, high: median });
const latency = (ratio: number) => ({ before: timing(1), after: timing(ratio), ratio });

describe("warningsOf", () => {
  it("names the forms that the target runs slower than float, or not at all, with their layers", () => {
    const layers = [
      changed("A", "slow", "fast"),
      changed("A", "slow", "fast"),
      changed("B", "unsupported"),
      changed("C", "fast"),
    ];
    expect(warnings(report(layers))).toEqual([
      "onnxruntime-node does not run B (1 layer)",
      "onnxruntime-node runs slower than float: A (2 layers)",
    ]);
    expect(warnings(report(layers, { target: "web" }))).toEqual(["onnxruntime-web does not run B (1 layer)"]);
    expect(warnings(report(layers, { target: "size" }))).toEqual([]);
  });

  it("says that a target only decodes where nothing runs faster", () => {
    expect(warnings(report([changed("A", "same"), changed("B", "same")]))).toEqual([
      "onnxruntime-node decodes these weights: the file is smaller, and runs at float's speed",
    ]);
    expect(warnings(report([changed("A", "same"), changed("B", "fast")]))).toEqual([]);
    expect(warnings(report([]))).toEqual([]);
  });

  it("warns of latency from 1.005 on, in the runtime that was measured", () => {
    expect(warnings(report([], { latency: latency(1.004) }))).toEqual([]);
    expect(warnings(report([], { latency: latency(1.31), target: "web" }))).toEqual([
      "slower than the input: 1.31 × its latency in onnxruntime-web",
    ]);
  });

  it("says that calibrated ranges are fixed", () => {
    expect(warnings(report([]), true)).toEqual([
      "activation ranges are fixed from the calibration data: inputs beyond them are cut off",
    ]);
  });
});

describe("unchangedWarning", () => {
  it("tells the three most frequent reasons with their layers", () => {
    const skipped = (reason: string): ReportEntry => ({ pass: "x/y", layer: "", action: "skipped", reason });
    const entries = [..."abbcccdddd"].map(skipped);
    expect(unchangedWarning(entries)).toBe("nothing was changed: d (4 layers); c (3 layers); b (2 layers)");
    expect(unchangedWarning([])).toContain("no float weights");
  });
});

describe("the passes of @espalier/quant", () => {
  it.each(["int8", "int8-weights", "int4", "fp16"])(
    "say of every layer that %s changes how each runtime runs it",
    async (recipe) => {
      for (const { model } of [tinyMlp(), tinyConv(), tinyTransformer()]) {
        const { report: found } = await compress(model, { recipe, measure: false });
        const entries = found.layers.filter(({ action }) => action === "changed");
        expect(entries.length).toBeGreaterThan(0);
        expect(entries.filter(({ runtimes }) => runtimes === undefined)).toEqual([]);
      }
    },
  );

  it("are warned of where the target runs them slowly: 4 bits of MatMulNBits in web", async () => {
    const recipe = { name: "m", passes: [{ pass: "@espalier/quant/rtn", options: { bits: 4, form: "MatMulNBits" } }] };
    const { report: found } = await compress(tinyMlp().model, { recipe, measure: false, target: "web" });
    expect(found.warnings.join()).toContain("onnxruntime-web runs slower than float: MatMulNBits 4 bits");
  });
});
