import { definePass, type Model, onnxBytes, writeOnnx } from "@espalier/core";
import { tinyConv, tinyMlp, tinyTransformer } from "@espalier/core/testing";
import { rtn } from "@espalier/quant";
import { describe, expect, it } from "vitest";
import { compress } from "./compress.ts";

const bytesOf = async (model: Model) => Buffer.from(await writeOnnx(model));

describe("compress without measuring", () => {
  it.each(["int8", "int8-weights", "int4", "int4-all", "fp16"])(
    "%s makes the model smaller and reports",
    async (recipe) => {
      const { model } = tinyTransformer();
      const { model: small, report, met, stopped } = await compress(model, { recipe, measure: false });
      expect(report.input.bytes).toBe(onnxBytes(model));
      expect(report.output.bytes).toBe((await bytesOf(small)).length);
      expect(report.output.bytes).toBeLessThan(0.7 * report.input.bytes);
      expect(report.layers.some(({ action, form }) => action === "changed" && form !== undefined)).toBe(true);
      expect({ met, stopped, recipe: report.recipe }).toEqual({ met: true, stopped: false, recipe });
      expect(report.seconds).toBeGreaterThan(0);
      expect(report.peakRssBytes).toBeGreaterThan(1e6);
      expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    },
  );

  it("int4 keeps 8 bits for embeddings, which int4-all does not", async () => {
    const forms = async (recipe: string) => {
      const { report } = await compress(tinyTransformer().model, { recipe, measure: false });
      return report.layers.filter(({ layer }) => layer === "e").map(({ form }) => form);
    };
    expect(await forms("int4")).toEqual(["gatherRows 8 bits"]);
    expect(await forms("int4-all")).toEqual(["GatherBlockQuantized 4 bits"]);
  });

  it("folds before the first pass, or behind the last that trains", async () => {
    const seen: Record<string, boolean> = {};
    const looking = (stage: "structure" | "train" | "prepare") =>
      definePass({
        name: `test/${stage}`,
        stage,
        apply: (model) => {
          seen[stage] = model.graph.nodes.some(({ opType }) => opType === "BatchNormalization");
          return model;
        },
      });
    await compress(tinyConv().model, {
      passes: ["structure", "prepare"].map((stage) => looking(stage as "prepare")),
      measure: false,
    });
    expect(seen).toEqual({ structure: false, prepare: false });
    await compress(tinyConv().model, { passes: [looking("train"), looking("prepare")], measure: false });
    expect(seen).toEqual({ structure: false, train: true, prepare: false });
  });

  it("folds before a pass that quantizes, and says so", async () => {
    const { model, report } = await compress(tinyConv().model, { recipe: "int8-weights", measure: false });
    expect(model.graph.nodes.some(({ opType }) => opType === "BatchNormalization")).toBe(false);
    expect(report.layers[0]).toMatchObject({ pass: "core/fold", action: "note" });
  });

  it("gives the same bytes for the same input and seed", async () => {
    const once = async () =>
      bytesOf((await compress(tinyMlp().model, { recipe: "int4", measure: false, seed: 3 })).model);
    expect((await once()).equals(await once())).toBe(true);
  });

  it("chooses forms for the target: web decodes 4 bits at load", async () => {
    const ops = async (target: "node" | "web") => {
      const { model } = await compress(tinyMlp().model, { recipe: "int4", measure: false, target });
      return model.graph.nodes.map(({ opType }) => opType);
    };
    expect(await ops("node")).toContain("MatMulNBits");
    expect(await ops("web")).not.toContain("MatMulNBits");
  });

  it("runs passes that are given as values, sorted by stage, and names them", async () => {
    const order: string[] = [];
    const noting = (name: string, stage: "encode" | "train") =>
      definePass({
        name,
        stage,
        apply(model) {
          order.push(name);
          return model;
        },
      });
    const passes = [noting("x/late", "encode"), rtn({ bits: 8 }), noting("x/early", "train")];
    const { report } = await compress(tinyMlp().model, { passes, measure: false });
    expect(order).toEqual(["x/early", "x/late"]);
    expect(report.recipe).toBe("x/early → quant/rtn → x/late");
    expect(report.layers.some(({ pass, action }) => pass === "quant/rtn" && action === "changed")).toBe(true);
    await expect(compress(tinyMlp().model, { passes, recipe: "int8" })).rejects.toMatchObject({ code: "BAD_OPTION" });
  });

  it("keeps the work of a pass that reports nothing, and discards none but that of fold", async () => {
    const metadata = new Map([["by", "silent"]]);
    const silent = definePass({ name: "x/silent", stage: "encode", apply: (model) => ({ ...model, metadata }) });
    const idle = definePass({ name: "x/idle", stage: "encode", apply: (model) => model });
    const { model } = tinyConv();
    expect((await compress(model, { passes: [silent], measure: false })).model.metadata).toEqual(metadata);
    expect((await compress(model, { passes: [idle], measure: false })).model).toBe(model);
  });

  it("refuses int8-static without calibration data", async () => {
    await expect(compress(tinyConv().model, { recipe: "int8-static", measure: false })).rejects.toMatchObject({
      code: "MISSING_NEED",
      message: expect.stringContaining("calibration data, which is never made up"),
    });
  });

  it("refuses a recipe whose passes stand in the wrong order, with the right one", async () => {
    const passes = [{ pass: "@espalier/quant/rtn" }, { pass: "late" }];
    const late = { late: () => ({ name: "x/late", stage: "train", apply: (m: Model) => m }) };
    const recipe = { name: "mine", passes: [passes[0]!, { pass: "x/late" }] };
    const importModule = (name: string) => (name === "x" ? Promise.resolve(late) : import("@espalier/quant"));
    await expect(compress(tinyMlp().model, { recipe, importModule, measure: false })).rejects.toMatchObject({
      code: "BAD_RECIPE",
      message: expect.stringContaining("the right order is x/late, quant/rtn"),
    });
  });
});
