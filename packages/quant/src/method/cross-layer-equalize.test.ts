import { attrs, type Feeds, type Model, runPass, tensor } from "@espalier/core";
import { expectClose, gaussian, testPass, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { classifier, pictures } from "../../test/classifier.ts";
import { applied, node, nodeOf, operatorsOf, outputOf, relativeL2 } from "../../test/runtimes.ts";
import { crossLayerEqualize } from "./cross-layer-equalize.ts";
import { staticInt8 } from "./static-int8.ts";

const dims = [1, 6, 8, 8];
/** Channels, by default rows, of sizes 10^(power · 0 … 3). */
const uneven = (shape: readonly number[], seed: number, power = 1, channels = shape[0]!) => {
  const w = gaussian(shape, seed, 0.4);
  const size = channels === shape[0] ? w.data.length / channels : 1;
  for (let i = 0; i < w.data.length; i++) w.data[i]! *= 10 ** (power * ((Math.floor(i / size) % channels) % 4));
  return w;
};
/** Pointwise, depthwise, pointwise, with an activation between each two. */
const mobile = (activation: "Relu" | "PRelu" | "Clip"): Model => {
  const extra = { Relu: [], PRelu: ["slope"], Clip: ["low", "high"] }[activation];
  return tinyModel({
    inputs: { x: ["float32", dims] },
    outputs: ["y"],
    weights: {
      w1: uneven([16, 6, 1, 1], 1),
      b1: uneven([16], 2),
      w2: uneven([16, 1, 3, 3], 3, -2),
      b2: uneven([16], 4, -1),
      w3: uneven([8, 16, 1, 1], 5, 1, 16),
      slope: gaussian([16, 1, 1], 6, 0.2),
      low: tensor("float32", [], Float32Array.of(-1)),
      high: tensor("float32", [], Float32Array.of(6)),
    },
    nodes: [
      nodeOf("Conv", ["x", "w1", "b1"], "c1"),
      nodeOf(activation, ["c1", ...extra], "r1"),
      nodeOf("Conv", ["r1", "w2", "b2"], "c2", { group: attrs.int(16), pads: attrs.ints([1, 1, 1, 1]) }),
      nodeOf(activation, ["c2", ...extra], "r2"),
      nodeOf("Conv", ["r2", "w3"], "y"),
    ],
  });
};
const linear = (): Model =>
  tinyModel({
    inputs: { x: ["float32", [3, 12]] },
    outputs: ["y"],
    weights: { w1: gaussian([12, 20], 1), b1: gaussian([20], 2), w2: uneven([20, 5], 3), b2: gaussian([5], 4) },
    nodes: [
      nodeOf("MatMul", ["x", "w1"], "m"),
      nodeOf("Add", ["b1", "m"], "a"),
      nodeOf("LeakyRelu", ["a"], "r"),
      nodeOf("Gemm", ["r", "w2", "b2"], "y"),
    ],
  });
const sameFunction = async (model: Model, made: Model, feeds: Feeds) =>
  expectClose(await outputOf(node, made, feeds), await outputOf(node, model, feeds), 1e-5);

describe("crossLayerEqualize", () => {
  testPass(it, () => crossLayerEqualize(), { ort: node });
  const x = gaussian(dims, 9);

  it.each(["Relu", "PRelu", "Clip"] as const)(
    "leaves the function through %s the same to 1e-5, and changes three layers",
    async (activation) => {
      const model = mobile(activation);
      const { model: made, entries } = await applied(model, crossLayerEqualize({ clips: "vectors" }));
      await sameFunction(model, made, { x });
      expect(entries.filter(({ action }) => action === "changed")).toHaveLength(3);
      if (activation === "Clip") expect(operatorsOf(made)).not.toContain("Clip");
    },
  );

  it("leaves the function of linear layers with an Add between the same to 1e-5, and Clip alone where it is kept", async () => {
    const model = linear();
    const { model: made, entries } = await applied(model, crossLayerEqualize());
    await sameFunction(model, made, { x: gaussian([3, 12], 5) });
    expect(entries.filter(({ action }) => action === "changed")).toHaveLength(2);
    expect(await runPass(mobile("Clip"), crossLayerEqualize())).toEqual(mobile("Clip"));
  });

  it("halves the error of int8 with one scale a weight, on channels of sizes 1 to 1000", async () => {
    const model = mobile("Relu");
    const float = await outputOf(node, model, { x });
    const errorOf = async (given: Model) => {
      const pass = staticInt8({ perChannel: false, float: "none", calibrator: "minmax" });
      const made = await runPass(given, pass, { ort: node, calibration: () => [{ x }] });
      return relativeL2((await outputOf(node, made, { x })).data, float.data);
    };
    expect(await errorOf(await runPass(model, crossLayerEqualize()))).toBeLessThan((await errorOf(model)) / 2);
  });

  it("leaves the function of PP-OCR's classifier the same to 1e-5", async () => {
    const model = await classifier();
    const { model: made, entries } = await applied(model, crossLayerEqualize());
    for (const feeds of pictures(2)) await sameFunction(model, made, feeds);
    expect(entries.some(({ action }) => action === "changed")).toBe(true);
  });
});
