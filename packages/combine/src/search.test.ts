import { attrs, isEspalierError, type Model, makeNode } from "@espalier/core";
import { gaussian, tinyMlp, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { importModule, made, type Order, ort, padded } from "../test/made-to-order.ts";
import { compress } from "./compress.ts";
import type { Budget, PassRecipe } from "./recipe/recipe.ts";
import type { CompressOptions, Run } from "./settings.ts";

const big = (model: Model = tinyMlp().model) => padded(model, 9000);

/** Latency of a model this small is noise; only what sleeps is slow. */
const lenient: Budget = { latencyRatio: 20 };

const searched = (
  orders: Readonly<Record<string, Order>>,
  options: CompressOptions = {},
  budget = lenient,
  model = big(),
) =>
  compress(model, {
    ort,
    importModule,
    recipe: { name: "mine", budget, candidates: Object.entries(orders).map(([name, order]) => made(name, order)) },
    ...options,
  });

const verdicts = ({ report }: Awaited<ReturnType<typeof compress>>) =>
  Object.fromEntries(report.candidates!.map(({ recipe, verdict }) => [recipe, verdict]));

const reasonOf = ({ report }: Awaited<ReturnType<typeof compress>>, name: string) =>
  report.candidates!.find(({ recipe }) => recipe === name)?.reason;

describe("a search", () => {
  it("gives the smallest result that keeps fidelity and latency, and a row for each candidate", async () => {
    const result = await searched({
      safe: { bytes: 5000, error: 0.001 },
      wrong: { bytes: 1000, error: 0.2 },
      slow: { bytes: 1500, slow: 15 },
      small: { bytes: 2000, error: 0.01 },
      large: { bytes: 7000 },
    });
    expect(verdicts(result)).toEqual({ safe: "good", wrong: "over", slow: "over", small: "chosen", large: "good" });
    expect(result).toMatchObject({ met: true, stopped: false });
    const { report } = result;
    expect(report).toMatchObject({ recipe: "small", data: "generated", met: true });
    expect(report.output.bytes).toBeLessThan(report.input.bytes - 6900);
    expect(report.output.bytes).toBe(report.candidates![3]!.bytes);
    expect(report.output.brotli).toBeLessThan(report.output.bytes);
    // two layers of weights, each 1.01 times as large
    expect(report.fidelity!.y!.relativeL2).toBeGreaterThan(0.005);
    expect(report.fidelity!.y!.relativeL2).toBeLessThan(0.03);
    expect(report.latency!.ratio).toBeGreaterThan(0);
    expect(reasonOf(result, "wrong")).toMatch(/^relative L2 of "y" 0\.4/);
    expect(reasonOf(result, "slow")).toMatch(/^latency over the input's \d+/);
    expect(reasonOf(result, "large")).toBe("larger than small");
  });

  it("does not limit latency for target size, and warns of a slower result", async () => {
    const result = await searched({ safe: { bytes: 5000 }, slow: { bytes: 1500, slow: 5 } }, { target: "size" }, {});
    expect(result.report).toMatchObject({ recipe: "slow", met: true });
    expect(result.report.warnings.join()).toMatch(/slower than the input: \d+\.\d\d ×/);
  });

  it("gives the closest where none keeps the budget, with met: false and the limits that are not kept", async () => {
    const result = await searched({
      far: { bytes: 1000, error: 0.3 },
      near: { bytes: 5000, error: 0.1 },
      wide: { bytes: 10, error: 0.9 },
    });
    expect(result.met).toBe(false);
    expect(result.report).toMatchObject({ recipe: "near", met: false });
    expect(Object.values(verdicts(result))).toEqual(["over", "over", "over"]);
    expect(result.report.warnings.join()).toMatch(/budget not kept: relative L2 of "y" 0\.2\d+, at most 0\.1/);
  });

  it("makes a row with the reason of a candidate that fails, cannot run, changes nothing, grows or is a twin", async () => {
    const result = await searched({
      fails: { fails: true },
      broken: { bytes: 1, broken: true },
      idle: { idle: true },
      grows: { bytes: 20_000 },
      good: { bytes: 2000 },
      twin: { bytes: 2000 },
    });
    expect(verdicts(result)).toEqual({
      fails: "failed",
      broken: "failed",
      idle: "skipped",
      grows: "over",
      good: "chosen",
      twin: "skipped",
    });
    expect(reasonOf(result, "fails")).toBe("layers are of the wrong kind. Take others.");
    expect(reasonOf(result, "broken")).toContain("Unheard");
    expect(reasonOf(result, "grows")).toContain("saves less than 2 % of the input's");
    expect(reasonOf(result, "twin")).toBe("the same as good");
  });

  it("gives the very input back, with the reason, where no candidate changes anything", async () => {
    const model = big();
    const result = await searched({ idle: { idle: true } }, {}, lenient, model);
    expect(result.model).toBe(model);
    expect(result).toMatchObject({ met: true, stopped: false });
    expect(result.report.output.bytes).toBe(result.report.input.bytes);
    expect(result.report.warnings[0]).toMatch(/^nothing was changed/);
  });

  it("refuses candidates that are written wrongly, all at once, before it tries any", async () => {
    const wrong: PassRecipe = { name: "wrong", passes: [{ pass: "@espalier/quant/rtm" }] };
    const odd: PassRecipe = { name: "odd", passes: [{ pass: "@espalier/quant/rtn", options: { bit: 4 } }] };
    const progress = () => {
      throw new Error("something was tried");
    };
    const error = await compress(big(), {
      ort,
      importModule,
      progress,
      recipe: { name: "m", candidates: [wrong, odd] },
    }).catch((caught: unknown) => caught);
    expect(isEspalierError(error) && error.code).toBe("BAD_RECIPE");
    expect(String(error)).toContain('recipe.candidates[0].passes[0].pass: module "@espalier/quant" has no pass "rtm"');
    expect(String(error)).toContain('recipe.candidates[1].passes[0].options has no "bit"; did you mean "bits"?');
  });
});

describe("a search by the user's metric", () => {
  /** Falls with the distance of the outputs from 1 times the original's; counts its calls. */
  const scoring = () => {
    const { samples } = tinyMlp();
    let calls = 0;
    const evaluate = async (run: Run) => {
      calls++;
      const { data } = (await run(samples[0]!)).y!;
      return { size: { value: Math.hypot(...(data as Float32Array)), better: "lower" } as const };
    };
    return { data: { evaluate }, calls: () => calls };
  };

  it("holds the drop of the first metric to maxDrop, in place of fidelity, and does not evaluate what is larger", async () => {
    const { data, calls } = scoring();
    const result = await searched(
      {
        first: { bytes: 5000, error: 0.001 },
        // outputs grow: worse
        worse: { bytes: 1000, error: 0.5 },
        // outputs shrink: better, and far from the original
        far: { bytes: 1500, error: -0.5 },
        large: { bytes: 6000 },
      },
      { data, maxDrop: 0.1 },
    );
    expect(verdicts(result)).toEqual({ first: "good", worse: "over", far: "chosen", large: "good" });
    expect(reasonOf(result, "worse")).toMatch(/^drop of size [\d.]+, at most 0\.1$/);
    const { metrics, fidelity } = result.report;
    expect(metrics!.after.size!.value).toBeLessThan(metrics!.before.size!.value);
    expect(fidelity!.y!.relativeL2).toBeGreaterThan(0.5);
    // the input, first, worse and far
    expect(calls()).toBe(4);
  });

  it("holds relative L2 to maxDrop without evaluate", async () => {
    const result = await searched(
      { a: { bytes: 5000, error: 0.01 }, b: { bytes: 1000, error: 0.2 } },
      { maxDrop: 0.5 },
    );
    expect(result.report).toMatchObject({ recipe: "b", met: true, budget: { maxDrop: 0.5, latencyRatio: 20 } });
  });

  it("refuses what evaluate gives where it is no metric", async () => {
    const data = { evaluate: () => ({ accuracy: 0.9 }) as never };
    await expect(compress(big(), { ort, importModule, data, recipe: made("a", { bytes: 1 }) })).rejects.toMatchObject({
      code: "BAD_DATA",
      message: expect.stringContaining('evaluate gave {"accuracy":0.9}'),
    });
  });
});

describe("a search that is stopped", () => {
  const stopAfter = (candidates: number) => {
    const control = new AbortController();
    const progress: NonNullable<CompressOptions["progress"]> = (event) => {
      if (event.kind === "step" && event.task === "mine" && event.done === candidates) control.abort();
    };
    return { signal: control.signal, progress };
  };
  const orders = { first: { bytes: 5000, error: 0.001 }, second: { bytes: 1000, error: 0.001 } };

  it("gives the best so far, with stopped: true", async () => {
    const result = await searched(orders, stopAfter(1));
    expect(result).toMatchObject({ met: true, stopped: true });
    expect(result.report).toMatchObject({ recipe: "first", stopped: true });
    expect(verdicts(result)).toEqual({ first: "chosen" });
  });

  it("throws ABORTED where there is nothing yet", async () => {
    await expect(searched(orders, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("outputs of every kind", () => {
  const node = (opType: string, inputs: string[], output: string, attributes = {}) =>
    makeNode(opType, inputs, [output], attributes, { name: output });
  const weights = { w: gaussian([8, 6], 1) };
  const x = { x: ["float32", [1, 8]] } as const;
  const orders = { first: { bytes: 5000, error: 0.02 }, second: { bytes: 1000, error: 0.01 } };

  it("takes the first candidate where no output tells anything, and says so", async () => {
    const scale = { ...weights, tiny: gaussian([1], 2, 1e-6) };
    const nodes = [node("MatMul", ["x", "w"], "m"), node("Mul", ["m", "tiny"], "y")];
    const result = await searched(
      orders,
      {},
      lenient,
      big(tinyModel({ inputs: x, outputs: ["y"], nodes, weights: scale })),
    );
    expect(verdicts(result)).toEqual({ first: "chosen", second: "skipped" });
    expect(reasonOf(result, "second")).toBe('fidelity cannot be judged: "y" is near zero');
    expect(result.met).toBe(true);
    expect(result.report.warnings.join()).toContain('output "y" is near zero on generated inputs');
  });

  it("judges every float output, and none that is constant", async () => {
    const nodes = [
      node("MatMul", ["x", "w"], "m"),
      node("Mul", ["m", "m"], "square"),
      node("Tanh", ["m"], "bounded"),
      node("Shape", ["x"], "shape"),
    ];
    const outputs = { square: "float32", bounded: "float32", shape: "int64" } as const;
    const model = big(tinyModel({ inputs: x, outputs, nodes, weights }));
    // a weight 1.06 times as large makes its square 1.1236 times as large
    const result = await searched({ a: { bytes: 10, error: 0.06 } }, {}, lenient, model);
    expect(reasonOf(result, "a")).toBe('relative L2 of "square" 0.124, at most 0.1');
    expect(Object.keys(result.report.fidelity!)).toEqual(["square", "bounded", "shape"]);
  });

  it("judges integers where a model gives nothing else", async () => {
    const nodes = [node("MatMul", ["x", "w"], "m"), node("ArgMax", ["m"], "label", { axis: attrs.int(1) })];
    const model = big(tinyModel({ inputs: x, outputs: { label: "int64" }, nodes, weights }));
    const result = await searched(
      { same: { bytes: 2000, error: 0.5 }, other: { bytes: 10, error: -2 } },
      {},
      lenient,
      model,
    );
    expect(verdicts(result)).toEqual({ same: "chosen", other: "over" });
    expect(reasonOf(result, "other")).toContain('share of other values in "label" 1, at most 0.1');
  });
});
