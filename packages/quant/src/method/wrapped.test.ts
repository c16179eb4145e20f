import {
  attrs,
  createContext,
  type Feeds,
  type Model,
  observe,
  type Pass,
  runPass,
  tensor,
  type ValueObserver,
} from "@espalier/core";
import { gaussian, testPass, tinyModel, tinyTransformer } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { classifier, pictures } from "../../test/classifier.ts";
import { applied, inBoth, node, nodeOf, operatorsOf, outputOf, relativeL2 } from "../../test/runtimes.ts";
import { biasCorrect } from "./bias-correct.ts";
import { dynamicInt8 } from "./dynamic-int8.ts";
import { keepSalient } from "./keep-salient.ts";
import { rtn } from "./rtn.ts";
import { staticInt8 } from "./static-int8.ts";

const coarse = { bits: 2, float16Below: 0, sensitive: [], rounding: "nearest" } as const;

describe("biasCorrect", () => {
  testPass(it, () => biasCorrect({ quantize: rtn({ bits: 4, float16Below: 0 }) }), { ort: node });

  /** Mean over samples and places of each channel of values. */
  const means = async (model: Model, names: readonly string[], data: readonly Feeds[]) => {
    const observer: ValueObserver<number[]> = {
      values: () => names,
      init: () => [],
      update(sums, { dims, data: values }) {
        const inner = dims.slice(2).reduce((a, b) => a * b, 1);
        (values as Float32Array).forEach((value, i) => {
          const channel = Math.floor(i / inner) % dims[1]!;
          sums[channel] = (sums[channel] ?? 0) + value / inner;
        });
      },
    };
    return observe(model, observer, createContext({ ort: node, calibration: () => data }));
  };

  it("Q-11: gives the results of layers the means that they have in float, to 1 % of what 3 bits move them", async () => {
    const model = await classifier();
    const data = pictures(4);
    const context = { ort: node, calibration: () => data };
    const quantize = rtn({ ...coarse, bits: 4, form: "decode" });
    const made = await runPass(model, biasCorrect({ quantize }), context);
    const plain = await runPass(model, quantize, context);
    const names = model.graph.nodes
      .filter(({ opType }) => opType === "Conv")
      .map(({ outputs }) => outputs[0]!)
      .slice(0, 12);
    const [wanted, own, other] = [
      await means(model, names, data),
      await means(made, names, data),
      await means(plain, names, data),
    ];
    for (const name of names) expect(relativeL2(own.get(name)!, wanted.get(name)!)).toBeLessThan(1e-3);
    const off = names.reduce((sum, name) => sum + relativeL2(other.get(name)!, wanted.get(name)!), 0);
    expect(off / names.length).toBeGreaterThan(0.05);
  });

  it("corrects what integer activations do to means too", async () => {
    const model = await classifier();
    const data = pictures(4);
    const context = { ort: node, calibration: () => data };
    const float = await outputOf(node, model, data[0]!);
    const errors: number[] = [];
    const quantize = staticInt8({ perChannel: false, float: "none", calibrator: "minmax" });
    for (const pass of [quantize, biasCorrect({ quantize })] as Pass[])
      errors.push(relativeL2((await outputOf(node, await runPass(model, pass, context), data[0]!)).data, float.data));
    expect(errors[1]).toBeLessThan(errors[0]!);
  });

  it("without data, takes the means of inputs from the BatchNormalization before, within a tenth of what it corrects", async () => {
    const weights = {
      scale: gaussian([16], 2).data.map((value) => 1 + 0.3 * value),
      shift: gaussian([16], 3).data,
    };
    const model = tinyModel({
      inputs: { x: ["float32", [1, 16, 24, 24]] },
      outputs: ["y"],
      weights: {
        scale: tensor("float32", [16], weights.scale),
        shift: tensor("float32", [16], weights.shift),
        mean: tensor("float32", [16], new Float32Array(16)),
        variance: tensor("float32", [16], new Float32Array(16).fill(1)),
        w: gaussian([8, 16, 1, 1], 4),
      },
      nodes: [
        nodeOf("BatchNormalization", ["x", "scale", "shift", "mean", "variance"], "n", { epsilon: attrs.float(1e-12) }),
        nodeOf("Relu", ["n"], "r"),
        nodeOf("Conv", ["r", "w"], "y"),
      ],
    });
    const data = [1, 2, 3, 4].map((seed) => ({ x: gaussian([1, 16, 24, 24], seed) }));
    const quantize = rtn({ ...coarse, form: "decode" });
    const off = async (pass: Pass) => {
      const made = await runPass(model, pass, { ort: node });
      const [own, wanted] = [await means(made, ["y"], data), await means(model, ["y"], data)];
      return Math.sqrt(own.get("y")!.reduce((sum, value, c) => sum + (value - wanted.get("y")![c]!) ** 2, 0));
    };
    expect(await off(biasCorrect({ quantize, from: "batch-norm" }))).toBeLessThan(0.1 * (await off(quantize)));
  });

  it("refuses to be without a quantizer", () => {
    expect(() => biasCorrect()).toThrow(/quantize is missing/);
  });
});

describe("keepSalient", () => {
  testPass(it, () => keepSalient({ quantize: rtn({ bits: 4, float16Below: 0 }), share: 0.1 }), { ort: node });

  /** A linear layer two of whose 64 inputs are 50 times as large as the others. */
  const outlying = () => {
    const model = tinyModel({
      inputs: { x: ["float32", [8, 64]] },
      outputs: ["y"],
      weights: { w: gaussian([64, 32], 1) },
      nodes: [nodeOf("MatMul", ["x", "w"], "y")],
    });
    const samples = [1, 2, 3].map((seed) => {
      const x = gaussian([8, 64], seed);
      for (let i = 0; i < x.data.length; i++) if (i % 64 === 5 || i % 64 === 40) x.data[i]! *= 50;
      return { x };
    });
    return { model, samples };
  };

  it("Q-16, QL-11: with 2 of 64 inputs in float, 3 bits lose a tenth of what they lose without, in both runtimes", async () => {
    const { model, samples } = outlying();
    const context = { ort: node, calibration: () => samples };
    const float = await outputOf(node, model, samples[0]!);
    const quantize = rtn({ ...coarse, bits: 3 });
    const errors: number[] = [];
    for (const pass of [quantize, keepSalient({ quantize, share: 2 / 64 })] as Pass[])
      for (const { data } of await inBoth(await runPass(model, pass, context), samples[0]!))
        errors.push(relativeL2(data, float.data));
    expect(Math.max(errors[2]!, errors[3]!)).toBeLessThan(0.1 * Math.min(errors[0]!, errors[1]!));
  });

  it("QL-11: by threshold, dynamic int8 of the rest loses a fifth of what it does without", async () => {
    const { model, samples } = outlying();
    const context = { ort: node, calibration: () => samples };
    const float = await outputOf(node, model, samples[0]!);
    const quantize = dynamicInt8({ inputParts: 1 });
    const errors: number[] = [];
    for (const pass of [quantize, keepSalient({ quantize, threshold: 6, activations: true })] as Pass[]) {
      const { model: made } = await applied(model, pass, context);
      errors.push(relativeL2((await outputOf(node, made, samples[0]!)).data, float.data));
    }
    expect(errors[1]).toBeLessThan(errors[0]! / 5);
  });

  it("splits layers of a transformer, and leaves what has no outliers above the threshold", async () => {
    const { model, samples } = tinyTransformer();
    const context = { ort: node, calibration: () => samples };
    const quantize = rtn({ bits: 4, float16Below: 0, sensitive: [] });
    const split = await applied(model, keepSalient({ quantize, share: 0.1 }), context);
    expect(split.entries.filter(({ reason }) => reason?.includes("inputs kept in float")).length).toBe(6);
    const { model: none } = await applied(model, keepSalient({ quantize, threshold: 1e6 }), context);
    expect(operatorsOf(none)).toEqual(operatorsOf(await runPass(model, quantize)));
  });

  it("refuses to be without a quantizer, and a share of nothing", () => {
    expect(() => keepSalient()).toThrow(/quantize is missing/);
    expect(() => keepSalient({ quantize: rtn(), share: 0 })).toThrow(/share is 0/);
  });
});
