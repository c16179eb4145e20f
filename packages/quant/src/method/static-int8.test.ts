import { attrs, type Feeds, type Model, type Pass, type Tensor } from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { applied, inBoth, node, nodeOf, operatorsOf, outputOf, relativeL2 } from "../../test/runtimes.ts";
import { staticInt8 } from "./static-int8.ts";

const dims = [1, 16, 6, 6];
const x = gaussian(dims, 9);

const model = (): Model =>
  tinyModel({
    inputs: { x: ["float32", dims] },
    outputs: ["y"],
    weights: {
      w: gaussian([16, 16, 1, 1], 1),
      b: gaussian([16], 2),
      v: gaussian([8, 16, 1, 1], 3),
      m: gaussian([6, 40], 4),
    },
    nodes: [
      nodeOf("Conv", ["x", "w", "b"], "c"),
      nodeOf("Relu", ["c"], "r"),
      nodeOf("Conv", ["r", "v"], "d"),
      nodeOf("MatMul", ["d", "m"], "y"),
    ],
    opset: 9,
  });

const calibrated = (given: Model, pass: Pass, ...samples: readonly Tensor[]) =>
  applied(given, pass, { ort: node, calibration: (): Feeds[] => samples.map((sample) => ({ x: sample })) });

describe("staticInt8", () => {
  it("observes the inputs of layers and the results of convolutions, after the Relu", async () => {
    const { observe } = staticInt8();
    if (!observe || !("values" in observe)) throw new Error("observes values");
    expect(await observe.values(model())).toEqual(["x", "r", "d"]);
  });

  it("stays within 2 % of float in both runtimes, from opset 9 on", async () => {
    const { model: quantized, entries } = await calibrated(model(), staticInt8({ calibrator: "minmax" }), x);
    expect(quantized.opsets.get("")).toBe(13);
    expect(operatorsOf(quantized).filter((op) => op === "QuantizeLinear")).toHaveLength(3);
    expect(entries.filter(({ action }) => action === "changed")).toHaveLength(3);
    const wanted = await outputOf(node, model(), { x });
    for (const { data } of await inBoth(quantized, { x })) expect(relativeL2(data, wanted.data)).toBeLessThan(0.02);
  });

  it("computes a depthwise convolution in float unless told otherwise, and then keeps its groups", async () => {
    const depthwise = tinyModel({
      inputs: { x: ["float32", dims] },
      outputs: ["y"],
      weights: { w: gaussian([16, 1, 3, 3], 5) },
      nodes: [nodeOf("Conv", ["x", "w"], "y", { group: attrs.int(16) })],
    });
    const usual = await calibrated(depthwise, staticInt8({ calibrator: "minmax" }), x);
    expect(operatorsOf(usual.model)).not.toContain("QuantizeLinear");
    const quantized = await calibrated(depthwise, staticInt8({ calibrator: "minmax", float: "none" }), x);
    const wanted = await outputOf(node, depthwise, { x });
    for (const { data } of await inBoth(quantized.model, { x }))
      expect(relativeL2(data, wanted.data)).toBeLessThan(0.02);
  });
});
