import { attrs, type Model } from "@espalier/core";
import { beforeAll, describe, expect, it } from "vitest";
import { emptyRange, type RangeStats, updateRange } from "../range/histogram.ts";
import { collecting, floats, node, relativeL2, runModel, runtimes, tinyModel } from "../testing/tiny.ts";
import { staticInt8 } from "./static-int8.ts";

// biome-ignore lint/suspicious/noExplicitAny: the two runtimes differ in their types
let both: readonly (readonly [string, any])[] = [];
beforeAll(async () => {
  both = await runtimes();
});

const dims = [1, 16, 6, 6];
const x = floats(dims, 9);

const nodes = [
  node("Conv", ["x", "w", "b"], "c"),
  node("Relu", ["c"], "r"),
  node("Conv", ["r", "v"], "d"),
  node("MatMul", ["d", "m"], "y"),
];

const weights = {
  w: floats([16, 16, 1, 1], 1),
  b: floats([16], 2),
  v: floats([8, 16, 1, 1], 3),
  m: floats([6, 40], 4),
};

const model = (output = "y"): Model =>
  tinyModel({ inputs: { x: ["float32", dims] }, outputs: [output], weights, nodes, opset: 9 });

/** What a runner would fold in: the values of each observed name. */
const statistics = async () => {
  const names = ["x", "r", "d"];
  const stats = new Map<string, RangeStats>();
  for (const name of names) {
    const values = name === "x" ? (x.data as Float32Array) : (await runModel(both[0]![1], model(name), { x })).data;
    const empty = emptyRange();
    updateRange(empty, values);
    stats.set(name, empty);
  }
  return stats;
};

describe("staticInt8", () => {
  it("observes the inputs of layers and the results of convolutions, after the Relu", async () => {
    const { observe } = staticInt8();
    if (!observe || !("values" in observe)) throw new Error("observes values");
    expect(await observe.values(model())).toEqual(["x", "r", "d"]);
  });

  it("stays within 2 % of float in both runtimes, from opset 9 on", async () => {
    const { ctx, entries } = collecting();
    const quantized = await staticInt8({ calibrator: "minmax" }).apply(model(), ctx, await statistics());
    expect(quantized.opsets.get("")).toBe(13);
    expect(quantized.graph.nodes.filter(({ opType }) => opType === "QuantizeLinear")).toHaveLength(3);
    expect(entries.filter(({ action }) => action === "changed")).toHaveLength(3);
    for (const [, ort] of both) {
      const [found, wanted] = [await runModel(ort, quantized, { x }), await runModel(ort, model(), { x })];
      expect(relativeL2(found.data, wanted.data)).toBeLessThan(0.02);
    }
  });

  it("leaves a layer float, and says so, that no calibration data reached", async () => {
    const { ctx, entries } = collecting();
    const stats = await statistics();
    stats.delete("d");
    const quantized = await staticInt8().apply(model(), ctx, stats);
    expect(quantized.graph.nodes.filter(({ opType }) => opType === "QuantizeLinear")).toHaveLength(2);
    expect(entries).toContainEqual(
      expect.objectContaining({ action: "note", reason: 'only stored in 8 bits: no calibration data reached "d"' }),
    );
  });

  it("computes a depthwise convolution in float unless told otherwise, and then keeps its groups", async () => {
    const depthwise = tinyModel({
      inputs: { x: ["float32", dims] },
      outputs: ["y"],
      weights: { w: floats([16, 1, 3, 3], 5) },
      nodes: [node("Conv", ["x", "w"], "y", { group: attrs.int(16) })],
    });
    const stats = new Map<string, RangeStats>();
    for (const [name, data] of [
      ["x", x.data as Float32Array],
      ["y", (await runModel(both[0]![1], depthwise, { x })).data],
    ] as const) {
      const empty = emptyRange();
      updateRange(empty, data);
      stats.set(name, empty);
    }
    const usual = await staticInt8({ calibrator: "minmax" }).apply(depthwise, collecting().ctx, stats);
    expect(usual.graph.nodes.map(({ opType }) => opType)).not.toContain("QuantizeLinear");
    const quantized = await staticInt8({ calibrator: "minmax", float: "none" }).apply(
      depthwise,
      collecting().ctx,
      stats,
    );
    for (const [, ort] of both) {
      const [found, wanted] = [await runModel(ort, quantized, { x }), await runModel(ort, depthwise, { x })];
      expect(relativeL2(found.data, wanted.data)).toBeLessThan(0.02);
    }
  });
});
