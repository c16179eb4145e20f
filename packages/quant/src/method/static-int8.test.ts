import { attrs, createContext, type Feeds, type Model, type Node, type Tensor, tensor } from "@espalier/core";
import { gaussian, testPass, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { applied, inBoth, node, nodeOf, operatorsOf, outputOf, relativeL2 } from "../../test/runtimes.ts";
import { dynamicInt8 } from "./dynamic-int8.ts";
import { type StaticInt8Options, staticInt8 } from "./static-int8.ts";

const dims = [1, 16, 6, 6];
const x = gaussian(dims, 9);

const weights = {
  w: gaussian([16, 16, 3, 3], 1),
  b: gaussian([16], 2),
  v: gaussian([8, 16, 1, 1], 3),
  m: gaussian([6, 40], 4),
};

const network = (last: Node = nodeOf("Relu", ["c"], "r"), opset = 13): Model =>
  tinyModel({
    inputs: { x: ["float32", dims] },
    outputs: ["y"],
    weights,
    nodes: [
      nodeOf("Conv", ["x", "w", "b"], "c", { pads: attrs.ints([1, 1, 1, 1]) }),
      last,
      nodeOf("Conv", ["r", "v"], "d"),
      nodeOf("MatMul", ["d", "m"], "y"),
    ],
    opset,
  });

/** `staticInt8` that takes tiny layers too, calibrated on samples of x. */
const calibrated = (given: Model, options: StaticInt8Options, ...samples: readonly Tensor[]) =>
  applied(given, staticInt8({ calibrator: "minmax", float: "none", ...options }), {
    ort: node,
    calibration: (): Feeds[] => samples.map((sample) => ({ x: sample })),
  });

const errorOf = async (made: Model, float: Model, feeds: Feeds = { x }): Promise<number> => {
  const wanted = await outputOf(node, float, feeds);
  return Math.max(...(await inBoth(made, feeds)).map(({ data }) => relativeL2(data, wanted.data)));
};

const countOf = (made: Model, op: string) => operatorsOf(made).filter((other) => other === op).length;

describe("staticInt8", () => {
  testPass(it, () => staticInt8({ float: "none" }), { ort: node });
  testPass(it, () => staticInt8({ float: "none", form: "QOperator" }), { ort: node });

  it("observes the inputs of layers and the results that are on a grid, after the Relu", async () => {
    for (const [form, values] of [
      ["QDQ", ["x", "r", "d"]],
      ["QOperator", ["x", "r", "d", "y"]],
    ] as const) {
      const { observe } = staticInt8({ form, float: "none" });
      if (!observe?.values) throw new Error("observes values");
      expect(await observe.values(network())).toEqual(values);
    }
  });

  for (const form of ["QDQ", "QOperator"] as const)
    for (const options of [
      {},
      { activationType: "int8" },
      { perChannel: false },
      { portable: true },
      { calibrator: "mse" },
      { calibrator: { percentile: 99.99 } },
      { calibrator: "moving-average" },
    ] as const)
      it(`${form}, ${JSON.stringify(options)}: within 2.5 % of float in both runtimes, 7 bits 4 %`, async () => {
        const { model, entries } = await calibrated(network(), { ...options, form }, x);
        expect(entries.filter(({ action }) => action === "changed")).toHaveLength(3);
        expect(await errorOf(model, network())).toBeLessThan("portable" in options ? 0.04 : 0.025);
      });

  it("writes QDQ from opset 9 on, at opset 13, with one pair of conversions for each value on a grid", async () => {
    const { model } = await calibrated(network(undefined, 9), {}, x);
    expect(model.opsets.get("")).toBe(13);
    expect(countOf(model, "QuantizeLinear")).toBe(3);
    expect(await errorOf(model, network())).toBeLessThan(0.02);
  });

  it("hands codes from one integer operator to the next, with a conversion at each end only", async () => {
    const { model } = await calibrated(network(), { form: "QOperator" }, x);
    expect(operatorsOf(model)).toEqual([
      "QuantizeLinear",
      "QLinearConv",
      "QLinearConv",
      "QLinearMatMul",
      "DequantizeLinear",
    ]);
    expect([...model.graph.weights.values()].some(({ type, dims: d }) => type === "float32" && d.length > 1)).toBe(
      false,
    );
  });

  it("computes codes within 1 of the integer arithmetic of its paper, QLinearConv", async () => {
    const one = tinyModel({
      inputs: { x: ["float32", dims] },
      outputs: ["y"],
      weights: { w: gaussian([8, 16, 1, 1], 1), b: gaussian([8], 2) },
      nodes: [nodeOf("Conv", ["x", "w", "b"], "y")],
    });
    const { model } = await calibrated(one, { form: "QOperator" }, x);
    const data = (name: string) => model.graph.weights.get(name)!.data as Float32Array;
    const [xs, xz, ys, yz] = ["x_s", "x_z", "y_s", "y_z"].map((name) => data(name)[0]!) as [
      number,
      number,
      number,
      number,
    ];
    const codes = x.data.map((value) => Math.max(0, Math.min(255, Math.round(value / xs) + xz)) - xz);
    const wanted = Float32Array.from({ length: 8 * 36 }, (_, at) => {
      const [channel, place] = [Math.floor(at / 36), at % 36];
      let sum = data("b_q")[channel]!;
      for (let i = 0; i < 16; i++) sum += data("w_q")[channel * 16 + i]! * codes[i * 36 + place]!;
      const code = Math.round((sum * xs * data("w_s")[channel]!) / ys) + yz;
      return (Math.max(0, Math.min(255, code)) - yz) * ys;
    });
    for (const { data: found } of await inBoth(model, { x }))
      found.forEach((value, i) => {
        expect(Math.abs(value - wanted[i]!)).toBeLessThan(1.01 * ys);
      });
  });

  it("takes a Clip about 0 into the range, and leaves one that is not about 0", async () => {
    const clip = (low: number, high: number) => {
      const bound = (value: number) => tensor("float32", [], Float32Array.of(value));
      const given = network(nodeOf("Clip", ["c", "low", "high"], "r"));
      const bounds = [
        ["low", bound(low)],
        ["high", bound(high)],
      ] as const;
      return { ...given, graph: { ...given.graph, weights: new Map([...given.graph.weights, ...bounds]) } };
    };
    for (const form of ["QDQ", "QOperator"] as const)
      for (const [low, high, left] of [
        [0, 6, 0],
        [-1, 1, 0],
        [1, 2, 1],
      ] as const) {
        const { model } = await calibrated(clip(low, high), { form }, x);
        expect(countOf(model, "Clip")).toBe(form === "QDQ" ? 1 : left);
        // The error is that of the sums, which are up to 10 times larger than what is left of them.
        expect(await errorOf(model, clip(low, high))).toBeLessThan(0.05);
      }
  });

  it.each([
    ["with bias", {}, [16, 40], ["x", "w", "b"]],
    ["with transB", { transB: attrs.int(1) }, [40, 16], ["x", "w", "b"]],
    ["without bias", {}, [16, 40], ["x", "w"]],
  ] as const)("takes Gemm %s, as QDQ and as QGemm", async (_, attributes, weightDims, inputs) => {
    const given = gaussian([5, 16], 6);
    const gemm = tinyModel({
      inputs: { x: ["float32", [5, 16]] },
      outputs: ["y"],
      weights: { w: gaussian(weightDims, 1), b: gaussian([40], 2) },
      nodes: [nodeOf("Gemm", inputs, "g", { ...attributes, beta: attrs.float(1) }), nodeOf("Relu", ["g"], "y")],
    });
    for (const form of ["QDQ", "QOperator"] as const) {
      const { model } = await calibrated(gemm, { form }, given);
      expect(operatorsOf(model)).toContain(form === "QDQ" ? "Gemm" : "QGemm");
      expect(await errorOf(model, gemm, { x: given })).toBeLessThan(0.015);
    }
  });

  it("stores a weight once that two convolutions share, each with a bias of its own", async () => {
    const shared = tinyModel({
      inputs: { x: ["float32", dims] },
      outputs: ["y"],
      weights: { w: gaussian([16, 16, 1, 1], 1), b: gaussian([16], 2), c: gaussian([16], 3, 20) },
      nodes: [nodeOf("Conv", ["x", "w", "b"], "h"), nodeOf("Conv", ["h", "w", "c"], "y")],
    });
    for (const form of ["QDQ", "QOperator"] as const) {
      const { model } = await calibrated(shared, { form }, x);
      expect([...model.graph.weights.values()].filter(({ dims: d }) => d.length === 4)).toHaveLength(1);
      expect(await errorOf(model, shared)).toBeLessThan(0.02);
    }
  });

  it("keeps the bias of a channel whose weights are next to nothing", async () => {
    const w = gaussian([16, 16, 1, 1], 1);
    w.data.fill(1e-20, 0, 16);
    const nearlyDead = tinyModel({
      inputs: { x: ["float32", dims] },
      outputs: ["y"],
      weights: { w, b: gaussian([16], 2) },
      nodes: [nodeOf("Conv", ["x", "w", "b"], "y")],
    });
    for (const form of ["QDQ", "QOperator"] as const) {
      const { model } = await calibrated(nearlyDead, { form }, x);
      const bias = nearlyDead.graph.weights.get("b")!.data![0] as number;
      for (const { data } of await inBoth(model, { x })) expect(Math.abs(data[0]! / bias - 1)).toBeLessThan(0.05);
    }
  });

  it("is the same as dynamic quantization on its own calibration data, and clips where that grows tenfold", async () => {
    const given = gaussian([5, 48], 9);
    const large = tensor(
      "float32",
      [5, 48],
      given.data.map((value) => 10 * value),
    );
    const one = tinyModel({
      inputs: { x: ["float32", [5, 48]] },
      outputs: ["y"],
      weights: { w: gaussian([48, 32], 1) },
      nodes: [nodeOf("MatMul", ["x", "w"], "y")],
    });
    const fixed = await calibrated(one, {}, given);
    const dynamic = await applied(one, dynamicInt8());
    const [a, b] = await Promise.all([fixed, dynamic].map(({ model }) => outputOf(node, model, { x: given })));
    expect(relativeL2(a!.data, b!.data)).toBeLessThan(1e-6);
    expect(await errorOf(dynamic.model, one, { x: large })).toBeLessThan(0.015);
    expect(await errorOf(fixed.model, one, { x: large })).toBeGreaterThan(0.5);
  });

  it("computes depthwise and small layers in float unless told otherwise, and then keeps their groups", async () => {
    const depthwise = tinyModel({
      inputs: { x: ["float32", dims] },
      outputs: ["y"],
      weights: { w: gaussian([16, 1, 3, 3], 5) },
      nodes: [nodeOf("Conv", ["x", "w"], "y", { group: attrs.int(16) })],
    });
    const usual = await calibrated(depthwise, { float: "auto" }, x);
    expect(operatorsOf(usual.model)).not.toContain("QuantizeLinear");
    expect(usual.entries[0]!.reason).toBe("only stored in 8 bits: computed in float (float: auto)");
    const { model } = await calibrated(depthwise, {}, x);
    expect(await errorOf(model, depthwise)).toBeLessThan(0.02);
  });

  /** x -> integer Conv -> one of 16 groups or by choice in float -> integer Conv. */
  const sandwich = (middle: Node, middleDims: readonly number[]): Model => {
    const m = gaussian(middleDims, 5);
    // One scale for all would lose the other channels beside this one.
    for (let i = 0; i < m.data.length / 16; i++) m.data[i]! *= 100;
    const last = gaussian([16, 16, 1, 1], 7);
    for (let i = 0; i < 16; i++) last.data[i * 16]! = 0;
    return tinyModel({
      inputs: { x: ["float32", dims] },
      outputs: ["y"],
      weights: { w: gaussian([16, 16, 1, 1], 1), m, v: last },
      nodes: [
        nodeOf("Conv", ["x", "w"], "c"),
        nodeOf("Relu", ["c"], "r"),
        middle,
        nodeOf("Relu", ["s"], "t"),
        nodeOf("Conv", ["t", "v"], "y"),
      ],
    });
  };
  const depthwise = nodeOf("Conv", ["r", "m"], "s", { group: attrs.int(16) });

  it("computes depthwise layers on integers too where those around them are, for at most 10 % more error", async () => {
    const given = sandwich(depthwise, [16, 1, 3, 3]);
    const { model, entries } = await calibrated(given, { float: "auto" }, x);
    expect(entries.filter(({ form }) => form?.startsWith("QDQ"))).toHaveLength(3);
    const inFloat = await calibrated(given, { float: ({ groups }) => groups > 1 }, x);
    expect(inFloat.entries.filter(({ form }) => form?.startsWith("QDQ"))).toHaveLength(2);
    expect(await errorOf(model, given)).toBeLessThan(1.1 * (await errorOf(inFloat.model, given)));
  });

  it.each([
    ["depthwise Conv", depthwise, [16, 1, 3, 3]],
    ["ConvTranspose", nodeOf("ConvTranspose", ["r", "m"], "s"), [16, 16, 2, 2]],
  ] as const)(
    "keeps onnxruntime from quantizing a %s that is in float between integer layers",
    async (_, middle, size) => {
      for (const form of ["QDQ", "QOperator"] as const) {
        const { model } = await calibrated(sandwich(middle, size), { form, float: ({ groups }) => groups > 1 }, x);
        const plain = await outputOf(node, model, { x }, { graphOptimizationLevel: "disabled" });
        for (const { data } of await inBoth(model, { x })) expect(relativeL2(data, plain.data)).toBeLessThan(0.02);
      }
    },
  );

  it("only stores, and says so, what calibration did not reach and what has no integer kernel", async () => {
    const entries: (string | undefined)[] = [];
    const context = createContext({ report: ({ action, reason }) => action === "note" && entries.push(reason) });
    const made = await staticInt8({ float: "none" }).apply(network(), context, new Map());
    expect(operatorsOf(made)).not.toContain("QuantizeLinear");
    expect(entries[0]).toBe('only stored in 8 bits: no calibration data reached "x"');
    const transposed = tinyModel({
      inputs: { x: ["float32", dims] },
      outputs: ["y"],
      weights: { w: gaussian([16, 8, 2, 2], 5) },
      nodes: [nodeOf("ConvTranspose", ["x", "w"], "y")],
    });
    const noted = (await calibrated(transposed, {}, x)).entries.find(({ action }) => action === "note");
    expect(noted?.reason).toBe("only stored in 8 bits: onnxruntime has no integer kernel of ConvTranspose");
  });
});
