import { attrs, type Feeds, type Model, type Node, type Tensor, tensor } from "@espalier/core";
import { gaussian, testPass, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { applied, inBoth, node, nodeOf, operatorsOf, outputOf, relativeL2 } from "../../test/runtimes.ts";
import { dynamicInt8 } from "./dynamic-int8.ts";

const [ROWS, K, N] = [5, 48, 32];
const x = gaussian([ROWS, K], 9);

const linear = (opset = 13): Model =>
  tinyModel({
    inputs: { x: ["float32", [ROWS, K]] },
    outputs: ["y"],
    weights: { w: gaussian([K, N], 1), v: gaussian([N, K], 2), b: gaussian([N], 3) },
    nodes: [
      nodeOf("MatMul", ["x", "w"], "a"),
      nodeOf("Gemm", ["x", "v", "b"], "c", { transB: attrs.int(1) }),
      nodeOf("Sub", ["a", "c"], "y"),
    ],
    opset,
  });

/** A model of one node on x. */
const oneNode = (of: Node, given: Tensor, weights: Readonly<Record<string, Tensor>>): Model =>
  tinyModel({ inputs: { x: ["float32", given.dims] }, outputs: ["y"], weights, nodes: [of] });

/** Largest relative L2 distance between the outputs of both runtimes and those of the float model. */
const errorOf = async (model: Model, float: Model, feeds: Feeds): Promise<number> => {
  const wanted = await outputOf(node, float, feeds);
  return Math.max(...(await inBoth(model, feeds)).map(({ data }) => relativeL2(data, wanted.data)));
};

const nearestEven = (value: number) => {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
};

/** Values of x after uint8 with one range, as DynamicQuantizeLinear defines it. */
const rounded = (values: Float32Array): Float64Array => {
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const scale = Math.fround((high - low) / 255);
  const zero = nearestEven(-low / scale);
  return Float64Array.from(
    values,
    (value) => (Math.max(0, Math.min(255, nearestEven(value / scale) + zero)) - zero) * scale,
  );
};

describe("dynamicInt8", () => {
  testPass(it, () => dynamicInt8({ convolutions: "integer" }), { ort: node });

  for (const options of [{}, { weightType: "uint8" }, { perChannel: false }, { portable: true }] as const)
    it(`keeps two linear layers on one input within 2 % in both runtimes, ${JSON.stringify(options)}`, async () => {
      const { model } = await applied(linear(), dynamicInt8(options));
      expect(operatorsOf(model).filter((op) => op === "MatMulInteger")).toHaveLength(2);
      expect(operatorsOf(model).filter((op) => op === "DynamicQuantizeLinear")).toHaveLength(1);
      expect(await errorOf(model, linear(), { x })).toBeLessThan("portable" in options ? 0.02 : 0.015);
    });

  it("computes (xq - xz) xs · Wq ws exactly, up to float32 rounding", async () => {
    const one = oneNode(nodeOf("MatMul", ["x", "w"], "y"), x, { w: gaussian([K, N], 1) });
    const { model } = await applied(one, dynamicInt8({ portable: true }));
    const [q, s] = ["w_q", "w_s"].map((name) => model.graph.weights.get(name)!.data as Float32Array);
    const input = rounded(x.data);
    const wanted = Float32Array.from({ length: ROWS * N }, (_, at) => {
      let sum = 0;
      for (let k = 0; k < K; k++) sum += input[Math.floor(at / N) * K + k]! * q![k * N + (at % N)]!;
      return sum * s![at % N]!;
    });
    for (const { data } of await inBoth(model, { x })) expect(relativeL2(data, wanted)).toBeLessThan(1e-6);
  });

  it.each([
    ["transA", { transA: attrs.int(1) }, [K, ROWS], ["x", "w", "b"]],
    ["transA and transB", { transA: attrs.int(1), transB: attrs.int(1) }, [K, ROWS], ["x", "w", "b"]],
    ["alpha and beta", { alpha: attrs.float(0.25), beta: attrs.float(-3) }, [ROWS, K], ["x", "w", "b"]],
    ["no bias", { transB: attrs.int(1) }, [ROWS, K], ["x", "w"]],
  ] as const)("keeps Gemm with %s within 1.5 % in both runtimes", async (_, attributes, dims, inputs) => {
    const given = gaussian(dims, 9);
    const weights = { w: gaussian("transB" in attributes ? [N, K] : [K, N], 1), b: gaussian([N], 3) };
    const one = oneNode(nodeOf("Gemm", inputs, "y", attributes), given, weights);
    const { model } = await applied(one, dynamicInt8());
    expect(operatorsOf(model)).toContain("MatMulInteger");
    expect(await errorOf(model, one, { x: given })).toBeLessThan(0.015);
  });

  it("gives parts of a wide input a range each, so that outliers in one part cost at least 3 times less", async () => {
    const spread = gaussian([ROWS, 256], 4);
    for (let i = 0; i < spread.data.length; i += 256) spread.data[i + 7]! *= 60;
    const one = oneNode(nodeOf("MatMul", ["x", "w"], "y"), spread, { w: gaussian([256, 64], 1) });
    const [whole, parts] = [await applied(one, dynamicInt8({ inputParts: 1 })), await applied(one, dynamicInt8())];
    expect(parts.entries[0]!.form).toBe("MatMulInteger int8, per channel, input in 4 parts");
    const [before, after] = [
      await errorOf(whole.model, one, { x: spread }),
      await errorOf(parts.model, one, { x: spread }),
    ];
    expect(after ** 2).toBeLessThan(before ** 2 / 3);
  });

  it("raises the opset of an older model and leaves skipped layers float", async () => {
    const { model, entries } = await applied(linear(9), dynamicInt8({ skip: "Gemm" }));
    expect(model.opsets.get("")).toBe(11);
    expect(operatorsOf(model)).toContain("Gemm");
    expect(entries).toContainEqual(expect.objectContaining({ action: "skipped", reason: "named by skip" }));
  });

  it("stores embeddings by row, and says why a layer is only stored", async () => {
    const left = tinyModel({
      inputs: { ids: ["int64", [4]], x: ["float32", [64, 3]] },
      outputs: ["y"],
      weights: { t: gaussian([50, 64], 1), w: gaussian([8, 64], 2) },
      nodes: [
        nodeOf("Gather", ["t", "ids"], "e"),
        nodeOf("MatMul", ["w", "x"], "a"),
        nodeOf("MatMul", ["e", "x"], "c"),
        nodeOf("Concat", ["a", "c"], "y", { axis: attrs.int(0) }),
      ],
    });
    const { model, entries } = await applied(left, dynamicInt8());
    expect(model.graph.weights.get("t_q")).toMatchObject({ type: "int8", dims: [50, 64] });
    expect(entries).toContainEqual(
      expect.objectContaining({ action: "note", reason: "only stored in 8 bits: its weight stands on the left" }),
    );
    const feeds = { ids: tensor("int64", [4], BigInt64Array.from([0n, 5n, 1n, 49n])), x: gaussian([64, 3], 7) };
    expect(await errorOf(model, left, feeds)).toBeLessThan(0.012);
  });

  it("only stores a layer whose weights are not all finite, and says so", async () => {
    const model = linear();
    model.graph.weights.get("w")!.data![3] = Number.NaN;
    const { model: made, entries } = await applied(model, dynamicInt8());
    expect(operatorsOf(made).filter((op) => op === "MatMulInteger")).toHaveLength(1);
    expect(entries.find(({ layer, action }) => layer === "MatMul_a" && action === "note")?.reason).toContain("finite");
  });
});

describe("dynamicInt8, convolutions", () => {
  const convolution = (dims: readonly number[], given: readonly number[], attributes = {}) => ({
    model: oneNode(nodeOf("Conv", ["x", "w", "b"], "y", attributes), gaussian(given, 5), {
      w: gaussian(dims, 1),
      b: gaussian([dims[0]!], 2),
    }),
    feeds: { x: gaussian(given, 5) },
  });
  const pads = { pads: attrs.ints([1, 0, 1, 0]), strides: attrs.ints([2, 1]) };

  it.each([
    ["3 × 3, padded", convolution([12, 8, 3, 3], [2, 8, 9, 9], pads)],
    ["grouped", convolution([12, 2, 3, 3], [2, 8, 9, 9], { ...pads, group: attrs.int(4) })],
    ["along one axis", convolution([12, 8, 5], [2, 8, 20])],
  ] as const)(
    "on integers where asked for, %s: within 1.5 % of float in both runtimes",
    async (_, { model, feeds }) => {
      for (const perChannel of [true, false]) {
        const made = await applied(model, dynamicInt8({ convolutions: "integer", perChannel }));
        expect(made.entries[0]!.form).toContain("ConvInteger uint8");
        expect(await errorOf(made.model, model, feeds)).toBeLessThan(0.015);
      }
    },
  );

  it("are stored in 8 bits otherwise, which the report says", async () => {
    const { entries } = await applied(convolution([64, 64, 1, 1], [1, 64, 4, 4]).model, dynamicInt8());
    expect(entries.map(({ action, reason, form }) => [action, reason ?? form])).toEqual([
      ["note", 'only stored in 8 bits: computed in float, which is faster (convolutions: "float")'],
      ["changed", "decode 8 bits"],
    ]);
  });
});

describe("dynamicInt8, onnxruntime's Attention", () => {
  const attention = (inputs: readonly string[], attributes = {}) =>
    tinyModel({
      inputs: { x: ["float32", [2, 5, 24]] },
      outputs: ["y"],
      weights: {
        w: gaussian([24, 48], 1, 0.3),
        b: gaussian([48], 2, 0.3),
        mask: tensor("int32", [2], Int32Array.of(5, 3)),
        scores: gaussian([1, 2, 5, 5], 3),
      },
      nodes: [nodeOf("Attention", inputs, "y", { num_heads: attrs.int(2), ...attributes }, "com.microsoft")],
      domains: { "com.microsoft": 1 },
    });
  const feeds = { x: gaussian([2, 5, 24], 5) };

  it.each([
    [["x", "w", "b", "mask"], { weightType: "int8" }],
    [["x", "w", "b", "mask"], { weightType: "uint8" }],
    [["x", "w", "b", "mask"], { perChannel: false }],
    [["x", "w", "b"], { portable: true }],
  ] as const)("becomes QAttention, inputs %j, %j: within 2 % of float in both runtimes", async (inputs, options) => {
    const model = attention(inputs, { unidirectional: attrs.int(1) });
    const made = await applied(model, dynamicInt8(options));
    expect(operatorsOf(made.model)).toEqual(["DynamicQuantizeLinear", "QAttention"]);
    expect(await errorOf(made.model, model, feeds)).toBeLessThan(0.02);
  });

  it("stays where scores are added, which QAttention cannot, and says so", async () => {
    const made = await applied(attention(["x", "w", "b", "", "", "scores"]), dynamicInt8());
    expect(operatorsOf(made.model)).toContain("Attention");
    expect(made.entries.find(({ action }) => action === "note")?.reason).toContain("QAttention adds nothing");
  });
});
