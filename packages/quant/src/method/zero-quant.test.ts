import { makeNode, runPass, tensor } from "@espalier/core";
import { gaussian, testPass, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { gated, WIDTH } from "../../test/gated.ts";
import { inBoth, node, operatorsOf, outputOf, relativeL2 } from "../../test/runtimes.ts";
import { dynamicInt8 } from "./dynamic-int8.ts";
import { zeroQuant } from "./zero-quant.ts";

describe("zeroQuant", () => {
  testPass(it, () => zeroQuant(), { ort: node });

  it("Q-13: with one outlier token, the other tokens err at most a quarter as much as with one range for all; both runtimes run it alike", async () => {
    const { model } = gated();
    const h = gaussian([30, WIDTH], 9).data;
    // the last product alone, so that the outlier is there where activations are quantized
    const only = {
      ...model,
      graph: {
        ...model.graph,
        inputs: [{ name: "h", type: { kind: "tensor", type: "float32", shape: [null, 96] } as const }],
        nodes: model.graph.nodes.slice(-1),
      },
    };
    const x = gaussian([30, 96], 11);
    for (let j = 0; j < 96; j++) x.data[j] = 300 * h[j % h.length]!;
    const feeds = { h: x };
    const before = (await outputOf(node, only, feeds)).data.subarray(WIDTH);
    const errorOf = (after: Float32Array) => relativeL2(after.subarray(WIDTH), before);
    const tensorWise = await runPass(only, dynamicInt8({ inputParts: 1 }));
    const plain = errorOf((await outputOf(node, tensorWise, feeds)).data);
    for (const groups of [1, 3]) {
      const made = await runPass(only, zeroQuant({ groups }));
      expect(operatorsOf(made)).toContain("MatMulInteger");
      const [first, second] = await inBoth(made, feeds);
      expect(errorOf(first!.data)).toBeLessThan(plain / 4);
      expect(relativeL2(second!.data, first!.data)).toBeLessThan(1e-5);
    }
  });

  it("keeps a scale for each token of a batch of unknown size where onnxruntime fuses integer products", async () => {
    const model = tinyModel({
      inputs: { x: ["float32", ["batch", "tokens", 64]] },
      outputs: ["y"],
      weights: { w: gaussian([64, 48], 1), b: gaussian([48], 2) },
      nodes: [makeNode("MatMul", ["x", "w"], ["p"]), makeNode("Add", ["p", "b"], ["y"])],
    });
    const x = gaussian([2, 5, 64], 3);
    for (let i = 0; i < x.data.length; i++) x.data[i]! *= 3 ** Math.floor(i / 64);
    const made = await runPass(model, zeroQuant());
    const plain = await outputOf(node, made, { x }, { graphOptimizationLevel: "disabled" });
    for (const { data } of await inBoth(made, { x })) {
      expect(relativeL2(data, plain.data)).toBeLessThan(1e-6);
      // the first token is the smallest
      const own = relativeL2(data.subarray(0, 48), (await outputOf(node, model, { x })).data.subarray(0, 48));
      expect(own).toBeLessThan(0.02);
    }
  });

  it("tokens of zeros give what the bias alone gives, not NaN", async () => {
    const { model } = gated();
    const made = await runPass(model, zeroQuant());
    const x = tensor("float32", [2, WIDTH], new Float32Array(2 * WIDTH));
    for (const { data } of await inBoth(made, { x })) expect([...data].every(Number.isFinite)).toBe(true);
  });

  it("refuses groups that are no whole number with BAD_OPTION", () => {
    expect(() => zeroQuant({ groups: 1.5 })).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
  });
});
