import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { countingOrt } from "../../test/counting-ort.ts";
import { makeNode } from "../attrs.ts";
import { edit } from "../edit/edit.ts";
import type { Model } from "../model.ts";
import type { ProgressEvent } from "../pass.ts";
import { openSession } from "../run/session.ts";
import { tensor } from "../tensor.ts";
import { gaussian, tinyConv, tinyMlp, tinyModel, tinyTransformer } from "../testing/index.ts";
import { compareModels } from "./compare-models.ts";

/** The model with one weight multiplied by `factor`. */
const scaled = (model: Model, name: string, factor: number): Model => {
  const weight = model.graph.weights.get(name)!;
  const data = (weight.data as Float32Array).map((value) => value * factor);
  const weights = new Map(model.graph.weights).set(name, tensor("float32", weight.dims, data));
  return { ...model, graph: { ...model.graph, weights } };
};

const norm = (values: readonly number[]) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));

describe("compareModels", () => {
  it("equals the formula on the outputs of two runs by hand, over all samples, to 1e-9", async () => {
    const { model, samples } = tinyConv();
    const other = scaled(model, "w3", 1.05);
    const { outputs } = await compareModels(model, other, { ort, data: () => samples, inner: false, threads: 1 });
    const [expected, actual]: number[][] = [[], []];
    for (const [each, into] of [
      [model, expected],
      [other, actual],
    ] as const) {
      const session = await openSession(ort, each, { threads: 1 });
      for (const feeds of samples) into.push(...((await session.run(feeds)).y.data as Float32Array));
      await session.release();
    }
    const relative = norm(actual.map((v, i) => v - expected[i])) / norm(expected);
    expect(relative).toBeGreaterThan(0.01);
    expect(outputs.y.relativeL2).toBeCloseTo(relative, 9);
  });

  it("names the inner value that first goes wrong, in the order of the graph", async () => {
    const { model, samples } = tinyTransformer();
    const { layers } = await compareModels(model, scaled(model, "w_up", 1.1), { ort, data: () => samples });
    const names = layers.map(({ value }) => value);
    expect(names).toEqual(model.graph.nodes.flatMap(({ outputs }) => outputs).filter((name) => names.includes(name)));
    expect(layers.find(({ relativeL2 }) => relativeL2 > 1e-4)?.value).toBe("up");
    expect(layers.find(({ value }) => value === "up")!.relativeL2).toBeCloseTo(0.1, 5);
    expect(layers.find(({ value }) => value === "n1")!.relativeL2).toBe(0);
  });

  it("holds no more inner values than fit its memory, one sample at a time, and gives the same figures", async () => {
    const { model, samples } = tinyConv();
    const other = scaled(model, "w1", 1.01);
    const { counted, fetched, open } = countingOrt(ort);
    const options = { ort: counted, data: () => samples };
    const all = await compareModels(model, other, options);
    fetched.length = 0;
    // 2 × 9,216 bytes are the largest values of both models
    const few = await compareModels(model, other, { ...options, memory: 4 * 9216 });
    expect(Math.max(...fetched.slice(1))).toBeLessThanOrEqual(4);
    expect(few.layers.map(({ value }) => value)).toEqual(all.layers.map(({ value }) => value));
    for (const [i, { relativeL2 }] of few.layers.entries()) expect(relativeL2).toBeCloseTo(all.layers[i].relativeL2, 5);
    expect(open()).toBe(0);
  });

  it("leaves out inner values of other dims, integers, and what does not depend on the input", async () => {
    const make = (width: number) =>
      tinyModel({
        inputs: { x: ["float32", [2, 4]] },
        outputs: ["y"],
        weights: {
          w: gaussian([4, width], 1),
          v: gaussian([width, 3], 2),
          c: gaussian([3], 3),
        },
        nodes: [
          makeNode("MatMul", ["x", "w"], ["hidden"]),
          makeNode("Shape", ["hidden"], ["dims"]),
          makeNode("MatMul", ["hidden", "v"], ["sum"]),
          makeNode("Neg", ["c"], ["constant"]),
          makeNode("Add", ["sum", "constant"], ["y"]),
        ],
      });
    const data = () => [{ x: gaussian([2, 4], 4) }];
    const { layers } = await compareModels(make(5), make(6), { ort, data });
    expect(layers.map(({ value }) => value)).toEqual(["sum"]);
  });

  it("says which outputs differ, in name or in dims, and asks for data", async () => {
    const { model, samples } = tinyMlp();
    const renamed = edit(model, (draft) => draft.graph.rename("y", "z"));
    const data = () => samples;
    await expect(compareModels(model, renamed, { ort, data })).rejects.toMatchObject({ code: "BAD_MODEL" });
    await expect(compareModels(model, model, { ort, data: () => [] })).rejects.toMatchObject({ code: "BAD_DATA" });
    const nonZero = (negate: boolean) =>
      tinyModel({
        inputs: { x: ["float32", [8]] },
        outputs: { y: "int64" },
        nodes: [
          makeNode("Relu", ["x"], ["r"]),
          makeNode(negate ? "Sub" : "Identity", negate ? ["x", "r"] : ["r"], ["n"]),
          makeNode("NonZero", ["n"], ["y"]),
        ],
      });
    const counted = countingOrt(ort);
    const failing = compareModels(nonZero(false), nonZero(true), {
      ort: counted.counted,
      data: () => [{ x: tensor("float32", [8], Float32Array.of(1, 1, 1, 1, 1, -1, -1, -1)) }],
      inner: false,
    });
    await expect(failing).rejects.toMatchObject({ code: "BAD_TENSOR", message: expect.stringContaining('"y"') });
    expect(counted.open()).toBe(0);
  });

  it("tells how far it is, and stops when told to with every session released", async () => {
    const { model, samples } = tinyMlp();
    const events: ProgressEvent[] = [];
    const { counted, open } = countingOrt(ort);
    const options = { ort: counted, data: () => samples };
    await compareModels(model, model, { ...options, progress: (event) => events.push(event) });
    expect(events.at(-2)).toEqual({ kind: "step", task: "compare", done: 6, total: 6 });
    const stop = new AbortController();
    const progress = (event: ProgressEvent) => {
      if (event.kind === "step") stop.abort();
    };
    const stopped = compareModels(model, model, { ...options, progress, signal: stop.signal });
    await expect(stopped).rejects.toMatchObject({ code: "ABORTED" });
    expect(open()).toBe(0);
  });
});
