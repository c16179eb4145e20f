import { layers, type Model, type Pass, roundToHalf, runPass, storedBytes, writeOnnx } from "@espalier/core";
import { testPass } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { applied, inBoth, node, outputOf, relativeL2 } from "../../test/runtimes.ts";
import { batched, conv, feedsOf, gemm, linear, lstm, table } from "../../test/weight-models.ts";
import { binaryRows } from "../grid/binary.ts";
import { fixedPointRows } from "../grid/fixed-point.ts";
import { dequantizeRows, type GridBits } from "../grid/grid.ts";
import { quantizeValues } from "../grid/quantize-values.ts";
import { ternaryRows } from "../grid/ternary.ts";
import { type FormatOptions, formatOptions, type ValueFormat } from "../grid/value-formats.ts";
import { dequantizeValues } from "../grid/value-grid.ts";
import { binary } from "./binary.ts";
import { fixedPoint } from "./fixed-point.ts";
import { fp4 } from "./fp4.ts";
import { fp8 } from "./fp8.ts";
import { mxfp4 } from "./mxfp4.ts";
import { nf4 } from "./nf4.ts";
import { nvfp4 } from "./nvfp4.ts";
import { rtn } from "./rtn.ts";
import { ternary } from "./ternary.ts";
import { rowsOf, rowTensor, rowValues } from "./weight-fit.ts";

const every = { sensitive: () => false } as const;

/** The model with its weights rounded to the grid, in float. */
const faked = async (model: Model, format: ValueFormat, options: FormatOptions): Promise<Model> => {
  const weights = new Map(model.graph.weights);
  for (const layer of layers(model)) {
    const [rows, columns] = rowsOf(layer);
    const own = formatOptions(format, { ...options, blockSize: Math.min(options.blockSize, columns) });
    const grid = quantizeValues(await rowValues(layer), rows, columns, own);
    weights.set(layer.weight.name, rowTensor(layer, dequantizeValues(grid)));
  }
  return { ...model, graph: { ...model.graph, weights } };
};

interface Case {
  readonly name: string;
  readonly model: Model;
  readonly pass: Pass;
  readonly format: ValueFormat;
  readonly options: FormatOptions;
  readonly form: string;
}

const block = (blockSize: number, more: Partial<FormatOptions> = {}): FormatOptions => ({ blockSize, ...more });

const cases: readonly Case[] = [
  {
    name: "NF4 by MatMulBnb4",
    model: linear(128, 24),
    pass: nf4({ ...every, form: "MatMulBnb4" }),
    format: "nf4",
    options: block(64, { half: true }),
    form: "MatMulBnb4 nf4, block 64",
  },
  {
    name: "NF4 by MatMulBnb4, an odd number of codes a row",
    model: linear(64, 17),
    pass: nf4({ ...every, form: "MatMulBnb4", blockSize: 16 }),
    format: "nf4",
    options: block(16, { half: true }),
    form: "MatMulBnb4 nf4, block 16",
  },
  {
    name: "NF4 of a Gemm by MatMulBnb4",
    model: gemm(1),
    pass: nf4({ ...every, form: "MatMulBnb4", blockSize: 32 }),
    format: "nf4",
    options: block(32, { half: true }),
    form: "MatMulBnb4 nf4, block 32",
  },
  {
    name: "NF4 with double quantization by MatMulBnb4",
    model: linear(256, 300),
    pass: nf4({ ...every, form: "MatMulBnb4", doubleQuant: true }),
    format: "nf4",
    options: block(64, { doubleQuant: true }),
    form: "MatMulBnb4 nf4, double, block 64",
  },
  {
    name: "NF4, decoded",
    model: linear(128, 96),
    pass: nf4({ ...every, form: "decode" }),
    format: "nf4",
    options: block(64, { half: true }),
    form: "decode nf4, block 64",
  },
  {
    name: "NF4 with double quantization, decoded, a short last group, opset 9",
    model: conv([40, 64, 3, 3], 1),
    pass: nf4({ ...every, doubleQuant: true }),
    format: "nf4",
    options: block(64, { doubleQuant: true }),
    form: "decode nf4, double, block 64",
  },
  {
    name: "FP4, decoded",
    model: linear(128, 96),
    pass: fp4(every),
    format: "fp4",
    options: block(64, { half: true }),
    form: "decode fp4, block 64",
  },
  {
    name: "FP4 by MatMulBnb4",
    model: linear(128, 24),
    pass: fp4({ ...every, form: "MatMulBnb4" }),
    format: "bnb-fp4",
    options: block(64, { half: true }),
    form: "MatMulBnb4 bnb-fp4, block 64",
  },
  {
    name: "MXFP4",
    model: linear(128, 96),
    pass: mxfp4(every),
    format: "mxfp4",
    options: block(32),
    form: "decode mxfp4, block 32",
  },
  {
    name: "MXFP4 of a convolution in blocks of 24, opset 9",
    model: conv([48, 16, 3, 3], 1),
    pass: mxfp4({ ...every, clip: "mse" }),
    format: "mxfp4",
    options: block(24, { clip: "mse" }),
    form: "decode mxfp4, block 24",
  },
  {
    name: "NVFP4",
    model: linear(128, 96),
    pass: nvfp4(every),
    format: "nvfp4",
    options: block(16),
    form: "decode nvfp4, block 16",
  },
  {
    name: "NVFP4 of a table",
    model: table(40, 96),
    pass: nvfp4(every),
    format: "nvfp4",
    options: block(16),
    form: "decode nvfp4, block 16",
  },
  {
    name: "NVFP4 of stacked matrices",
    model: batched(),
    pass: nvfp4(every),
    format: "nvfp4",
    options: block(16),
    form: "decode nvfp4, block 16",
  },
  {
    name: "MXFP4 of an LSTM",
    model: lstm(),
    pass: mxfp4(every),
    format: "mxfp4",
    options: block(32),
    form: "decode mxfp4",
  },
  {
    name: "FP8 E4M3, decoded, opset 9",
    model: conv([48, 16, 3, 3], 1),
    pass: fp8(every),
    format: "e4m3",
    options: block(144, { half: true }),
    form: "decode e4m3",
  },
  {
    name: "FP8 E5M2 in blocks, decoded",
    model: linear(128, 96),
    pass: fp8({ ...every, format: "e5m2", blockSize: 32 }),
    format: "e5m2",
    options: block(32, { half: true }),
    form: "decode e5m2, block 32",
  },
  {
    name: "FP8 E4M3 by DequantizeLinear, from opset 9",
    model: conv([48, 16, 3, 3], 1),
    pass: fp8({ ...every, form: "DequantizeLinear" }),
    format: "e4m3",
    options: block(144, { half: true }),
    form: "DequantizeLinear e4m3",
  },
  {
    name: "FP8 E5M2 by DequantizeLinear",
    model: linear(128, 96),
    pass: fp8({ ...every, form: "DequantizeLinear", format: "e5m2" }),
    format: "e5m2",
    options: block(128, { half: true }),
    form: "DequantizeLinear e5m2",
  },
];

describe("grids of given values, in onnxruntime-node and onnxruntime-web", () => {
  it.each(cases)(
    "$name: equals the float model with rounded weights, to 1e-6",
    async ({ model, pass, format, options, form }) => {
      const { model: stored, entries } = await applied(model, pass);
      expect(entries[0]!.form).toBe(form);
      expect(entries[0]!.runtimes).toBeDefined();
      if (form.startsWith("decode")) expect(entries[0]!.reason).toContain("float's memory");
      expect((await writeOnnx(stored)).length).toBeLessThan((await writeOnnx(model)).length);
      const feeds = feedsOf(model);
      const wanted = await outputOf(node, await faked(model, format, options), feeds);
      expect(relativeL2(wanted.data, (await outputOf(node, model, feeds)).data)).toBeGreaterThan(0.01);
      for (const { data, dims } of await inBoth(stored, feeds)) {
        expect(dims).toEqual(wanted.dims);
        expect(relativeL2(data, wanted.data)).toBeLessThan(1e-6);
      }
    },
  );

  it("are folded when they are loaded: with optimization off the outputs are the same to 1e-6", async () => {
    for (const { model, pass } of cases) {
      const stored = await runPass(model, pass);
      const feeds = feedsOf(model);
      const folded = await outputOf(node, stored, feeds);
      const plain = await outputOf(node, stored, feeds, { graphOptimizationLevel: "disabled" });
      expect(relativeL2(folded.data, plain.data)).toBeLessThan(1e-6);
    }
  });

  it("Q-15, QL-07, QL-08: the stored bytes of a 256 × 96 matrix are those of the formats", async () => {
    const count = 256 * 96;
    const bytesOf = async (pass: Pass) => {
      const { weights } = (await runPass(linear(256, 96), pass)).graph;
      return [...weights].filter(([name]) => /^w_(q|s)/.test(name)).reduce((sum, [, t]) => sum + storedBytes(t), 0);
    };
    const dims = 3 * 8;
    expect(await bytesOf(mxfp4(every))).toBe((count / 32) * 17);
    expect(await bytesOf(nvfp4(every))).toBe((count / 16) * 9 + 4);
    expect(await bytesOf(nf4({ ...every, form: "MatMulBnb4" }))).toBe(count / 2 + (count / 64) * 2);
    expect(await bytesOf(nf4({ ...every, form: "decode" }))).toBe(count / 2 + (count / 64) * 2);
    // 384 scales in two groups of 256: two floats and the mean, and the shape that they are brought to
    expect(await bytesOf(nf4({ ...every, form: "decode", doubleQuant: true }))).toBe(
      count / 2 + 512 + 3 * 4 + dims + 3 * 8,
    );
  });
});

describe("fixedPoint, ternary and binary", () => {
  const fake = async (model: Model, round: (w: Float32Array, rows: number, columns: number) => Float32Array) => {
    const weights = new Map(model.graph.weights);
    for (const layer of layers(model)) {
      const values = round(await rowValues(layer), ...rowsOf(layer));
      weights.set(layer.weight.name, rowTensor(layer, values));
    }
    return { ...model, graph: { ...model.graph, weights } };
  };
  const fixed = (bits: GridBits) => (w: Float32Array, rows: number, columns: number) =>
    dequantizeRows(fixedPointRows(w, rows, columns, { bits }));
  const three = (w: Float32Array, rows: number, columns: number) =>
    dequantizeRows(ternaryRows(w, rows, columns, columns, roundToHalf));
  const two = (w: Float32Array, rows: number, columns: number) =>
    dequantizeValues(binaryRows(w, rows, columns, { round: roundToHalf }));
  const plain = { float16Below: 0, ...every } as const;
  const few = [
    ["Q-18: fixed point of 8 bits", linear(128, 96), fixedPoint(plain), /^decode 8 bits$/, fixed(8)],
    [
      "Q-18: fixed point of 5 bits",
      conv([48, 16, 3, 3], 1),
      fixedPoint({ ...plain, bits: 5, blockSize: "channel" }),
      /^decode 5 bits$/,
      fixed(5),
    ],
    [
      "Q-18: fixed point of 4 bits",
      linear(128, 96),
      fixedPoint({ ...plain, bits: 4, blockSize: "channel" }),
      /^MatMulNBits 4 bits$/,
      fixed(4),
    ],
    ["Q-22: ternary linear", linear(128, 96), ternary(plain), /^MatMulNBits 2 bits$/, three],
    ["Q-22: ternary convolution", conv([48, 16, 3, 3], 1), ternary({ ...plain }), /^decode 2 bits$/, three],
    ["Q-04: binary linear", linear(128, 96), binary(every), /^decode binary$/, two],
    ["Q-04: binary convolution", conv([48, 16, 3, 3], 1), binary(every), /^decode binary$/, two],
  ] as const;
  it.each(few)(
    "%s: equals the float model with rounded weights, to 1e-6, in node and web",
    async (_, model, pass, form, round) => {
      const { model: stored, entries } = await applied(model, pass);
      expect(entries[0]!.form).toMatch(form);
      const feeds = feedsOf(model);
      const wanted = await outputOf(node, await fake(model, round), feeds);
      for (const { data } of await inBoth(stored, feeds)) expect(relativeL2(data, wanted.data)).toBeLessThan(1e-6);
    },
  );
  it("Q-04: binary stores an eighth of a byte a weight", async () => {
    const { weights } = (await runPass(linear(128, 96), binary(every))).graph;
    expect(storedBytes(weights.get("w_q")!)).toBe((128 * 96) / 8);
  });
  it("leave weights alone that are not finite", async () => {
    const broken = linear(64, 48);
    (broken.graph.weights.get("w")!.data as Float32Array)[5] = Number.POSITIVE_INFINITY;
    for (const pass of [fixedPoint(plain), ternary(plain), binary(every)])
      expect((await applied(broken, pass)).entries).toMatchObject([
        { action: "skipped", reason: "its weights are not all finite" },
      ]);
  });
  testPass(it, () => binary({ ...every, rounding: "stochastic", scale: "one" }), { ort: node });
});

describe("nf4", () => {
  testPass(it, () => nf4(every), { ort: node });
  testPass(it, () => nf4({ ...every, form: "decode", doubleQuant: true }), { ort: node });

  it("Q-15: writes two codes a byte, the first one high, as bitsandbytes does", async () => {
    const model = linear(64, 1);
    const w = model.graph.weights.get("w")!.data as Float32Array;
    w.fill(0);
    w.set([2, -2, 1.45, 0]);
    const { weights } = (await runPass(model, nf4({ ...every, form: "MatMulBnb4" }))).graph;
    // 1, -1, 0.725 is nearest to 0.723, and 0
    expect([...(weights.get("w_q")!.data as Uint8Array)].slice(0, 3)).toEqual([0xf0, 0xe7, 0x77]);
    expect([...(weights.get("w_s")!.data as Float32Array)]).toEqual([2]);
  });
  it("refuses MatMulBnb4 for blocks that do not divide the columns, naming every layer, before any work", async () => {
    await expect(runPass(linear(72, 24), nf4({ ...every, form: "MatMulBnb4" }))).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("72 input columns, which blockSize 64 does not divide"),
    });
    await expect(runPass(conv([48, 64, 1, 1], 1), nf4({ ...every, form: "MatMulBnb4" }))).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
  });
  it("leaves weights alone that are not finite, and the sensitive ones for a pass of more bits, which stores them", async () => {
    const broken = linear(64, 48);
    (broken.graph.weights.get("w")!.data as Float32Array)[5] = Number.NaN;
    expect((await applied(broken, nf4(every))).entries).toMatchObject([
      { action: "skipped", reason: "its weights are not all finite" },
    ]);
    const depthwise = conv([64, 1, 5, 5], 64);
    const { model, entries } = await applied(depthwise, nf4());
    expect(entries).toMatchObject([{ action: "skipped", reason: "sensitive: left to a pass of more bits" }]);
    expect(model).toBe(depthwise);
    expect((await applied(model, rtn({ float16Below: 0 }))).entries).toMatchObject([{ action: "changed" }]);
  });
});
