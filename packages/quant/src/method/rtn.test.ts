import { attrs, type Feeds, type Model, runPass, storedBytes, type Tensor, tensor, writeOnnx } from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { applied, node, nodeOf, outputOf, relativeL2, runtimes } from "../../test/runtimes.ts";
import { dequantizeRows } from "../grid/grid.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { type RtnOptions, rtn } from "./rtn.ts";

const linear = (K: number, N: number): Model =>
  tinyModel({
    inputs: { x: ["float32", [3, K]] },
    outputs: ["y"],
    weights: { w: gaussian([K, N], 1) },
    nodes: [nodeOf("MatMul", ["x", "w"], "y")],
    opset: 21,
  });

const gemm = (transB: number): Model =>
  tinyModel({
    inputs: { x: ["float32", [3, 64]] },
    outputs: ["y"],
    weights: { w: gaussian(transB ? [48, 64] : [64, 48], 1), b: gaussian([48], 2) },
    nodes: [nodeOf("Gemm", ["x", "w", "b"], "y", { transB: attrs.int(transB) })],
  });

const conv = (dims: readonly number[], group: number, op = "Conv"): Model =>
  tinyModel({
    inputs: { x: ["float32", [1, op === "Conv" ? dims[1]! * group : dims[0]!, 6, 6]] },
    outputs: ["y"],
    weights: { w: gaussian(dims, 1) },
    nodes: [nodeOf(op, ["x", "w"], "y", { group: attrs.int(group) })],
    opset: 9,
  });

const table = (rows: number, width: number): Model =>
  tinyModel({
    inputs: { ids: ["int64", [4]] },
    outputs: ["y"],
    weights: { w: gaussian([rows, width], 1) },
    nodes: [nodeOf("Gather", ["w", "ids"], "y")],
  });

const lstm = (): Model =>
  tinyModel({
    inputs: { x: ["float32", [5, 1, 24]] },
    outputs: ["y"],
    weights: { w: gaussian([1, 128, 24], 1, 0.2), r: gaussian([1, 128, 32], 2, 0.2) },
    nodes: [nodeOf("LSTM", ["x", "w", "r"], "y", { hidden_size: attrs.int(32) })],
  });

const batched = (): Model =>
  tinyModel({
    inputs: { x: ["float32", [2, 3, 40]] },
    outputs: ["y"],
    weights: { w: gaussian([2, 40, 24], 1) },
    nodes: [nodeOf("MatMul", ["x", "w"], "y")],
  });

const feedsOf = (model: Model): Feeds =>
  Object.fromEntries(
    model.graph.inputs.map(({ name, type }) => {
      const shape = (type as { shape: readonly number[] }).shape;
      const ids = tensor("int64", [4], BigInt64Array.from([0n, 5n, 1n, 7n]));
      return [name, name === "ids" ? ids : (gaussian(shape, 9) as Tensor)];
    }),
  );

/** Largest relative L2 error that plain rounding of Gaussian weights may show at a width. */
const BOUNDS = { 8: 0.012, 7: 0.025, 4: 0.13, 2: 0.6 } as const;

interface Case {
  readonly name: string;
  readonly model: Model;
  readonly options: RtnOptions;
  readonly form: RegExp;
  readonly bound: number;
}

const one = (name: string, model: Model, options: RtnOptions, form: RegExp, bits: keyof typeof BOUNDS): Case => ({
  name,
  model,
  options: { float16Below: 0, rounding: "nearest", ...options },
  form,
  bound: BOUNDS[bits],
});

const cases: readonly Case[] = [
  one("MatMul, 8 bits", linear(64, 48), {}, /^decode 8 bits$/, 8),
  one("MatMul, 8 bits, 7 used", linear(64, 48), { portable: true }, /^decode 7 bits$/, 7),
  one("MatMul, 8 bits, asymmetric", linear(64, 48), { symmetric: false }, /^decode 8 bits$/, 8),
  ...([8, 4, 2] as const).flatMap((bits) =>
    [16, 32, 64, 128].map((blockSize) =>
      one(
        `MatMulNBits ${bits} bits, block ${blockSize}, short last block`,
        linear(88, 24),
        { bits, blockSize, form: "MatMulNBits" },
        new RegExp(`^MatMulNBits ${bits} bits`),
        bits,
      ),
    ),
  ),
  ...([8, 4, 2] as const).flatMap((bits) =>
    (bits === 8 ? (["integer"] as const) : (["integer", "float"] as const)).map((zeroPoint) =>
      one(
        `MatMulNBits ${bits} bits, ${zeroPoint} zero points`,
        linear(80, 24),
        { bits, blockSize: 16, form: "MatMulNBits", symmetric: false, zeroPoint },
        /^MatMulNBits/,
        bits,
      ),
    ),
  ),
  one("Gemm by MatMulNBits", gemm(0), { bits: 4 }, /^MatMulNBits 4 bits/, 4),
  one("Gemm with transB by MatMulNBits", gemm(1), { bits: 4 }, /^MatMulNBits 4 bits/, 4),
  one("MatMul, 4 bits, folded", linear(64, 48), { bits: 4, target: "web" }, /^decode 4 bits, block 32$/, 4),
  one(
    "MatMul, 4 bits, folded, asymmetric",
    linear(64, 48),
    { bits: 4, form: "decode", symmetric: false },
    /^decode 4/,
    4,
  ),
  one("batched MatMul, 4 bits, folded", batched(), { bits: 4 }, /^decode 4 bits/, 4),
  one(
    "MatMul by blocked DequantizeLinear",
    linear(64, 48),
    { bits: 8, blockSize: 16, form: "DequantizeLinear" },
    /^Deq/,
    8,
  ),
  one(
    "pointwise Conv by DequantizeLinear of 4 bits in blocks, from opset 9",
    conv([48, 64, 1, 1], 1),
    { bits: 4, blockSize: 16, form: "DequantizeLinear" },
    /^Deq.*4 bits, block 16$/,
    4,
  ),
  one(
    "Conv by DequantizeLinear, one scale a channel, from opset 9",
    conv([48, 16, 3, 3], 1),
    { form: "DequantizeLinear", blockSize: "channel" },
    /^Deq.*8 bits$/,
    8,
  ),
  one(
    "Conv by asymmetric DequantizeLinear",
    conv([48, 64, 1, 1], 1),
    { bits: 4, blockSize: 16, form: "DequantizeLinear", symmetric: false },
    /^Deq/,
    4,
  ),
  one("pointwise Conv, 4 bits, folded", conv([48, 64, 1, 1], 1), { bits: 4 }, /^decode 4 bits, block 32$/, 4),
  one("pointwise Conv, 2 bits, folded", conv([48, 64, 1, 1], 1), { bits: 2 }, /^decode 2 bits, block 32$/, 2),
  one("Conv 3×3, 4 bits, folded", conv([48, 16, 3, 3], 1), { bits: 4 }, /^decode 4 bits, block 24$/, 4),
  one("Conv in blocks of 8 bits", conv([32, 96, 1, 1], 1), {}, /^decode 8 bits, block 48$/, 8),
  one("Conv 3×3, 8 bits", conv([16, 8, 3, 3], 1), { blockSize: "channel" }, /^decode 8 bits$/, 8),
  one("grouped Conv, 8 bits", conv([32, 8, 3, 3], 4), {}, /^decode 8 bits/, 8),
  one("depthwise Conv keeps 8 bits", conv([64, 1, 5, 5], 64), { bits: 4 }, /^decode 8 bits$/, 8),
  one("ConvTranspose", conv([32, 16, 2, 2], 1, "ConvTranspose"), {}, /^decode 8 bits$/, 8),
  one("grouped ConvTranspose", conv([64, 1, 3, 3], 64, "ConvTranspose"), {}, /^decode 8 bits$/, 8),
  one("Gather, 8 bits, one scale a row", table(40, 100), {}, /^gatherRows 8 bits$/, 8),
  one(
    "Gather, 8 bits, one scale a row, for WebGPU",
    table(40, 100),
    { target: "webgpu" },
    /^GatherBlockQuantized 8 bits$/,
    8,
  ),
  one("Gather, 4 bits, short last block", table(40, 100), { bits: 4 }, /^GatherBlockQuantized 4 bits, block 32$/, 4),
  one("Gather, 4 bits, asymmetric", table(40, 96), { bits: 4, symmetric: false }, /^GatherBlockQuantized 4 bits/, 4),
  one("Gather of rows", table(40, 100), { embeddings: "gatherRows" }, /^gatherRows 8 bits$/, 8),
  one("Gather from a folded table", table(40, 100), { embeddings: "decode" }, /^decode 8 bits$/, 8),
  one("LSTM", lstm(), { bits: 4 }, /^decode 8 bits$/, 8),
];

describe("rtn, in onnxruntime-node and onnxruntime-web", () => {
  it.each(cases)("$name: loads, stays within the grid's error, and both runtimes agree to 1e-5", async (c) => {
    const before = (await writeOnnx(c.model)).length;
    const { model, entries } = await applied(c.model, rtn(c.options));
    expect(entries[0]!.form).toMatch(c.form);
    expect((await writeOnnx(model)).length).toBeLessThan(before);
    const feeds = feedsOf(c.model);
    const reference = await outputOf(node, c.model, feeds);
    const results: Float32Array[] = [];
    for (const [, ort] of runtimes) {
      const { data, dims } = await outputOf(ort, model, feeds);
      expect(dims).toEqual(reference.dims);
      const error = relativeL2(data, reference.data);
      expect(error).toBeLessThan(c.bound);
      expect(error).toBeGreaterThan(0);
      results.push(data);
    }
    // onnxruntime-node turns DequantizeLinear -> MatMul into a kernel that rounds activations to int8.
    expect(relativeL2(results[0]!, results[1]!)).toBeLessThan(/^Deq/.test(entries[0]!.form!) ? 0.01 : 1e-5);
  });

  it("MatMulNBits gives x·ŵ for the ŵ of the grid, to 1e-6", async () => {
    const model = linear(96, 40);
    const w = model.graph.weights.get("w")!.data as Float32Array;
    const turned = Float32Array.from({ length: w.length }, (_, i) => w[(i % 96) * 40 + Math.floor(i / 96)]!);
    const back = dequantizeRows(quantizeRows(turned, 40, 96, { bits: 4, blockSize: 32, scaleType: "float16" }));
    const x = feedsOf(model).x!.data as Float32Array;
    const wanted = Float32Array.from({ length: 3 * 40 }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < 96; k++) sum += x[Math.floor(i / 40) * 96 + k]! * back[(i % 40) * 96 + k]!;
      return sum;
    });
    const packed = await runPass(model, rtn({ bits: 4, float16Below: 0 }));
    for (const [, ort] of runtimes)
      expect(relativeL2((await outputOf(ort, packed, feedsOf(model))).data, wanted)).toBeLessThan(1e-6);
  });

  it("decoding is folded at load: with optimization off the outputs are the same to 1e-6", async () => {
    for (const { model, options } of cases.filter(({ form }) => form.source.startsWith("^decode"))) {
      const packed = await runPass(model, rtn(options));
      const feeds = feedsOf(model);
      const folded = await outputOf(node, packed, feeds);
      const plain = await outputOf(node, packed, feeds, { graphOptimizationLevel: "disabled" });
      expect(relativeL2(folded.data, plain.data)).toBeLessThan(1e-6);
    }
  });
});

describe("rtn", () => {
  it("leaves its input as it was, and gives the same bytes twice", async () => {
    const model = linear(64, 48);
    const before = await writeOnnx(model);
    const pass = rtn({ bits: 4, float16Below: 0 });
    const [first, second] = [1, 2].map(() => runPass(model, pass));
    expect(await writeOnnx(await first!)).toEqual(await writeOnnx(await second!));
    expect(await writeOnnx(model)).toEqual(before);
  });
  it("reports bytes before and after, and why a layer was left alone", async () => {
    const model = conv([48, 64, 1, 1], 1);
    const { model: packed, entries } = await applied(model, rtn({ float16Below: 0 }));
    const stored = [...packed.graph.weights.values()].reduce((sum, t) => sum + storedBytes(t), 0);
    expect(entries).toHaveLength(1);
    expect(entries[0]!.bytesBefore).toBe(48 * 64 * 4);
    expect(Math.abs(entries[0]!.bytesAfter! - stored)).toBeLessThan(200);
    const skipped = await applied(model, rtn({ skip: "Conv_*" }));
    expect(skipped.entries[0]).toMatchObject({ action: "skipped", reason: "named by skip" });
  });
  it("refuses a block that does not divide, for all layers at once, before any work", async () => {
    const options: RtnOptions = { form: "DequantizeLinear", blockSize: 48 };
    await expect(runPass(linear(64, 48), rtn(options))).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("64 input columns, which blockSize 48 does not divide"),
    });
  });
  it("leaves a layer alone whose weights are not all finite, and says so", async () => {
    const model = linear(64, 48);
    (model.graph.weights.get("w")!.data as Float32Array)[5] = Number.POSITIVE_INFINITY;
    const { model: same, entries } = await applied(model, rtn({ float16Below: 0 }));
    expect(entries).toMatchObject([{ action: "skipped", reason: "its weights are not all finite" }]);
    expect(same.graph.weights.get("w")).toBe(model.graph.weights.get("w"));
  });
  it("stops when it is told to, with ABORTED", async () => {
    const signal = AbortSignal.abort();
    await expect(runPass(linear(64, 48), rtn(), { signal })).rejects.toMatchObject({
      code: "ABORTED",
    });
  });
  it("stores a weight that two nodes use once", async () => {
    const shared = tinyModel({
      inputs: { x: ["float32", [3, 64]] },
      outputs: ["y"],
      weights: { w: gaussian([64, 64], 1) },
      nodes: [nodeOf("MatMul", ["x", "w"], "h"), nodeOf("MatMul", ["h", "w"], "y")],
    });
    const packed = await runPass(shared, rtn({ bits: 4, float16Below: 0 }));
    expect([...packed.graph.weights.keys()]).toEqual(["w_q", "w_sh"]);
    for (const [, ort] of runtimes) expect((await outputOf(ort, packed, feedsOf(shared))).dims).toEqual([3, 64]);
  });
  it("stores an embedding table that is also transposed for the last product once, decoded for both", async () => {
    const tied = tinyModel({
      inputs: { ids: ["int64", [4]] },
      outputs: ["y"],
      weights: { w: gaussian([40, 64], 1) },
      nodes: [
        nodeOf("Gather", ["w", "ids"], "h"),
        nodeOf("Transpose", ["w"], "t", { perm: attrs.ints([1, 0]) }),
        nodeOf("MatMul", ["h", "t"], "y"),
      ],
    });
    const { model: packed, entries } = await applied(tied, rtn({ float16Below: 0 }));
    expect(entries[0]!.form).toBe("decode 8 bits");
    expect([...packed.graph.weights.values()].filter(({ type }) => type === "float32")).toHaveLength(0);
    const wanted = await outputOf(node, tied, feedsOf(tied));
    for (const [, ort] of runtimes)
      expect(relativeL2((await outputOf(ort, packed, feedsOf(tied))).data, wanted.data)).toBeLessThan(0.02);
  });
  it("reaches weights inside subgraphs, in every form", async () => {
    const branch = (name: string, seed: number) => ({
      name,
      nodes: [nodeOf("MatMul", ["x", `w${seed}`], name)],
      inputs: [],
      outputs: [{ name, type: { kind: "tensor" as const, type: "float32" as const } }],
      values: [],
      weights: new Map([[`w${seed}`, gaussian([64, 64], seed)]]),
      sparseWeights: [],
    });
    const model = tinyModel({
      inputs: { x: ["float32", [3, 64]] },
      outputs: ["y"],
      weights: { yes: tensor("bool", [], Uint8Array.of(1)) },
      nodes: [
        nodeOf("If", ["yes"], "y", {
          then_branch: attrs.graphAttr(branch("a", 1)),
          else_branch: attrs.graphAttr(branch("b", 2)),
        }),
      ],
    });
    const wanted = await outputOf(node, model, feedsOf(model));
    for (const options of [{}, { bits: 4 }, { bits: 4, target: "web" }] as const) {
      const { model: packed, entries } = await applied(model, rtn({ ...options, float16Below: 0 }));
      expect(entries.map(({ action }) => action)).toEqual(["changed", "changed"]);
      expect((await writeOnnx(packed)).length).toBeLessThan((await writeOnnx(model)).length / 2);
      for (const [, ort] of runtimes) {
        const error = relativeL2((await outputOf(ort, packed, feedsOf(model))).data, wanted.data);
        expect(error).toBeLessThan(BOUNDS["bits" in options ? 4 : 8]);
      }
    }
  });
});
