import { type Model, runPass, storedBytes, writeOnnx } from "@espalier/core";
import { describe, expect, it } from "vitest";
import { applied, node, outputOf, relativeL2, runtimes } from "../../test/runtimes.ts";
import { BOUNDS, batched, conv, feedsOf, gemm, linear, lstm, table } from "../../test/weight-models.ts";
import { dequantizeRows } from "../grid/grid.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { type RtnOptions, rtn } from "./rtn.ts";

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
    [16, 32, 64, 128, 256].map((blockSize) =>
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
  one("MatMulNBits of one scale a row", linear(88, 24), { form: "MatMulNBits" }, /^MatMulNBits 8 bits$/, 8),
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
  ...([6, 5, 3] as const).flatMap((bits) =>
    [true, false].map((symmetric) =>
      one(
        `MatMul, ${bits} bits in planes, folded, ${symmetric ? "symmetric" : "asymmetric"}`,
        linear(64, 48),
        { bits, target: "size", symmetric },
        new RegExp(`^decode ${bits} bits, block 32$`),
        bits,
      ),
    ),
  ),
  ...([true, false] as const).map((symmetric) =>
    one(
      `3 bits carried in MatMulNBits of 4, ${symmetric ? "symmetric" : "asymmetric"}`,
      linear(88, 24),
      { bits: 3, symmetric },
      /^MatMulNBits 3 bits in 4, block 32$/,
      3,
    ),
  ),
  one(
    "6 bits carried in MatMulNBits of 8",
    linear(88, 24),
    { bits: 6, form: "MatMulNBits" },
    /^MatMulNBits 6 bits in 8/,
    6,
  ),
  one(
    "5 bits carried in DequantizeLinear of 8",
    linear(64, 48),
    { bits: 5, form: "DequantizeLinear" },
    /^Deq.* 5 bits in 8/,
    5,
  ),
  one(
    "3 bits carried in DequantizeLinear of 4",
    linear(64, 48),
    { bits: 3, form: "DequantizeLinear" },
    /^Deq.* 3 bits in 4/,
    3,
  ),
  one("pointwise Conv, 3 bits, folded", conv([48, 64, 1, 1], 1), { bits: 3 }, /^decode 3 bits, block 32$/, 3),
  one("Conv 3×3, 5 bits, folded", conv([48, 16, 3, 3], 1), { bits: 5 }, /^decode 5 bits, block 24$/, 5),
  one("Gather, 3 bits in 4", table(40, 96), { bits: 3 }, /^GatherBlockQuantized 3 bits in 4, block 32$/, 3),
  one(
    "Gather, 3 bits in 4, asymmetric",
    table(40, 96),
    { bits: 3, symmetric: false },
    /^GatherBlockQuantized 3 bits in 4/,
    3,
  ),
  one("Gather from a folded table of 6 bits", table(40, 96), { bits: 6 }, /^decode 6 bits, block 32$/, 6),
  one(
    "Gather of rows, 5 bits in 8",
    table(40, 96),
    { bits: 5, blockSize: "channel", embeddings: "gatherRows" },
    /^gatherRows 5 bits in 8$/,
    5,
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
  one("Conv along one axis, 8 bits", conv([32, 24, 5], 1), {}, /^decode 8 bits/, 8),
  one("Conv along three axes, 4 bits", conv([32, 16, 3, 3, 3], 1), { bits: 4 }, /^decode 4 bits/, 4),
  one("Gemm, 8 bits, one scale a channel", gemm(0), {}, /^decode 8 bits$/, 8),
  one("Gemm with transB, 8 bits, one scale a channel", gemm(1), {}, /^decode 8 bits$/, 8),
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
  one("Gather, 2 bits", table(40, 96), { bits: 2 }, /^GatherBlockQuantized 2 bits, block 32$/, 2),
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

  it("Q-09: 3 bits carried in 4 give the outputs of 3 bits stored in 3, to 1e-6, and decode stores 3/8 of a byte each", async () => {
    const model = linear(128, 40);
    for (const symmetric of [true, false]) {
      const options: RtnOptions = { bits: 3, float16Below: 0, symmetric };
      const held = await runPass(model, rtn(options));
      const exact = await runPass(model, rtn({ ...options, target: "size" }));
      const codes = [...exact.graph.weights].filter(([name]) => name.startsWith("w_q"));
      expect(codes.reduce((sum, [, tensor]) => sum + storedBytes(tensor), 0)).toBe((128 * 40 * 3) / 8);
      expect(storedBytes(held.graph.weights.get("w_q")!)).toBe((128 * 40) / 2);
      for (const [, ort] of runtimes) {
        const [a, b] = [await outputOf(ort, held, feedsOf(model)), await outputOf(ort, exact, feedsOf(model))];
        expect(relativeL2(a.data, b.data)).toBeLessThan(1e-6);
      }
    }
  });

  it("accuracyLevel 4 rounds activations to int8 in node, and changes nothing in web", async () => {
    const model = linear(96, 40);
    const results = new Map<string, Float32Array[]>();
    for (const accuracyLevel of [0, 4]) {
      const packed = await runPass(model, rtn({ bits: 4, float16Below: 0, accuracyLevel }));
      const level = packed.graph.nodes.find(({ opType }) => opType === "MatMulNBits")!.attributes.get("accuracy_level");
      expect(Number(level?.value ?? 0)).toBe(accuracyLevel);
      for (const [name, ort] of runtimes)
        results.set(name, [...(results.get(name) ?? []), (await outputOf(ort, packed, feedsOf(model))).data]);
    }
    const [web, native] = [results.get("web")!, results.get("node")!];
    expect(relativeL2(web[1]!, web[0]!)).toBe(0);
    // Processors without a kernel for int8 activations ignore the level too.
    expect(relativeL2(native[1]!, native[0]!)).toBeLessThan(0.012);
  });

  it("GatherBlockQuantized with one scale a row has the least power of two that holds the row as its block", async () => {
    const packed = await runPass(table(40, 100), rtn({ embeddings: "GatherBlockQuantized", float16Below: 0 }));
    const [gather] = packed.graph.nodes.filter(({ opType }) => opType === "GatherBlockQuantized");
    expect(["bits", "block_size"].map((name) => Number(gather!.attributes.get(name)!.value))).toEqual([8, 128]);
    expect(packed.graph.weights.get("w_q")).toMatchObject({ type: "uint8", dims: [40, 100] });
    expect(packed.graph.weights.get("w_sh")).toMatchObject({ type: "float16", dims: [40, 1] });
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
