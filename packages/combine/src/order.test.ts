import { definePass, type Pass, type Stage, type Traits } from "@espalier/core";
import { describe, expect, it } from "vitest";
import { checkPasses, orderPasses, orderProblem } from "./order.ts";

const pass = (name: string, stage: Stage, traits: Traits = {}): Pass =>
  definePass({ name, stage, traits, apply: (model) => model });

const names = (passes: readonly Pass[]) => passes.map(({ name }) => name);

const prune = pass("prune/wanda", "sparsify");
const tune = pass("core/fine-tune", "train");
const rtn = pass("quant/rtn", "quantize");
const gptq = pass("quant/gptq", "quantize");

describe("orderPasses", () => {
  it("sorts by stage and keeps the order within a stage", () => {
    expect(names(orderPasses([gptq, prune, rtn, tune]))).toEqual([
      "core/fine-tune",
      "prune/wanda",
      "quant/gptq",
      "quant/rtn",
    ]);
  });
});

describe("orderProblem", () => {
  it("is undefined for passes by stage, and tells the right order of others", () => {
    expect(orderProblem([tune, prune, gptq, rtn])).toBeUndefined();
    expect(orderProblem([rtn, prune, tune])).toBe(
      "prune/wanda (sparsify) stands after quant/rtn (quantize), and must come before; the right order is core/fine-tune, prune/wanda, quant/rtn",
    );
  });
});

const refusal = (passes: readonly Pass[]) => {
  try {
    checkPasses(passes, {});
  } catch (error) {
    return error as Error & { code: string };
  }
  throw new Error("nothing was refused");
};

describe("checkPasses", () => {
  it("names every two passes that exclude each other, by name or prefix", () => {
    const alone = pass("quant/alone", "quantize", { conflictsWith: ["prune/", "quant/rtn"] });
    const { code, message } = refusal([prune, rtn, gptq, alone]);
    expect(code).toBe("CONFLICT");
    expect(message).toContain("prune/wanda and quant/alone exclude each other");
    expect(message).toContain("quant/rtn and quant/alone exclude each other");
    expect(message).not.toContain("gptq");
  });

  it("names every need that is missing, and that calibration data is never made up", () => {
    const a = pass("quant/a", "quantize", { needs: ["calibration", "ort"] });
    const b = pass("quant/b", "quantize", { needs: ["ort"] });
    const { code, message } = refusal([a, b]);
    expect(code).toBe("MISSING_NEED");
    expect(message).toContain("quant/a needs calibration data, which is never made up");
    expect(message).toContain("quant/a needs a runtime");
    expect(message).toContain("quant/b needs a runtime");
    checkPasses([a, b], { calibration: () => [], ort: {} as never });
  });
});
