import { createRng, type Layer, layers, type Model, runPass, storedBytes, tensor } from "@espalier/core";
import { gaussian, testPass } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { applied, inBoth, node, outputOf, relativeL2 } from "../../test/runtimes.ts";
import { batched, conv, feedsOf, gemm, linear, lstm, table } from "../../test/weight-models.ts";
import { depalettize, type Palette, paletteRows } from "../grid/palette.ts";
import { productPalette } from "../grid/product-palette.ts";
import { type PalettizeOptions, palettize } from "./palettize.ts";
import { type ProductQuantizeOptions, productQuantize } from "./product-quantize.ts";
import { rowsOf, rowTensor, rowValues } from "./weight-fit.ts";

const every = { sensitive: () => false } as const;

const faked = async (
  model: Model,
  make: (w: Float32Array, rows: number, columns: number, layer: Layer) => Palette,
): Promise<Model> => {
  const weights = new Map(model.graph.weights);
  for (const layer of layers(model)) {
    const palette = make(await rowValues(layer), ...rowsOf(layer), layer);
    weights.set(layer.weight.name, rowTensor(layer, depalettize(palette)));
  }
  return { ...model, graph: { ...model.graph, weights } };
};

const palettes: readonly (readonly [string, Model, PalettizeOptions, string])[] = [
  ["linear, 4 bits", linear(64, 48), { bits: 4 }, "codebook 4 bits"],
  ["linear, 8 bits", linear(96, 64), { bits: 8 }, "codebook 8 bits"],
  ["linear, 6 bits", linear(64, 48), { bits: 6 }, "codebook 6 bits"],
  ["linear, 3 bits, exact", linear(64, 48), { bits: 3, clustering: "exact" }, "codebook 3 bits"],
  [
    "linear, 1 bit, a codebook for 8 channels",
    linear(64, 48),
    { bits: 1, groupSize: 8 },
    "codebook 1 bits, 8 channels",
  ],
  [
    "linear, 5 bits, a codebook for 16 channels",
    linear(64, 48),
    { bits: 5, groupSize: 16 },
    "codebook 5 bits, 16 channels",
  ],
  ["8 bits, a codebook for 32 channels", linear(256, 64), { bits: 8, groupSize: 32 }, "codebook 8 bits, 32 channels"],
  ["Gemm", gemm(1), { bits: 4 }, "codebook 4 bits"],
  ["convolution, opset 9", conv([48, 16, 3, 3], 1), { bits: 4, groupSize: 12 }, "codebook 4 bits, 12 channels"],
  [
    "rows of 27 codes of 3 bits, which fill whole bytes together",
    conv([48, 3, 3, 3], 1),
    { bits: 3 },
    "codebook 3 bits",
  ],
  ["table", table(40, 96), { bits: 4 }, "codebook 4 bits"],
  ["stacked matrices", batched(), { bits: 4 }, "codebook 4 bits"],
  ["LSTM", lstm(), { bits: 4 }, "codebook 4 bits"],
];

describe("palettize, in onnxruntime-node and onnxruntime-web", () => {
  it.each(palettes)("%s: equals the float model with the nearest values, to 1e-6", async (_, model, options, form) => {
    const { model: stored, entries } = await applied(model, palettize({ ...every, ...options }));
    expect(entries[0]).toMatchObject({ form, reason: expect.stringContaining("float's memory") });
    const { bits = 4, groupSize, clustering = "lloyd" } = options;
    const fake = await faked(model, (w, rows, columns, layer) => {
      const rng = createRng(0).fork("quant/palettize").fork(layer.name);
      const size = groupSize ?? rows;
      const half = (rows / size) * 2 ** bits > 24;
      return paletteRows(w, rows, columns, { bits, groupSize: size, clustering, half, rng });
    });
    const wanted = await outputOf(node, fake, feedsOf(model));
    for (const { data, dims } of await inBoth(stored, feedsOf(model))) {
      expect(dims).toEqual(wanted.dims);
      expect(relativeL2(data, wanted.data)).toBeLessThan(1e-6);
    }
  });
  it("stores a weight of 16 different values exactly, in half a byte each", async () => {
    const model = linear(64, 48);
    (model.graph.weights.get("w")!.data as Float32Array).forEach((_, i, w) => {
      w[i] = ((i * 7) % 16) / 8 - 1;
    });
    const stored = await runPass(model, palettize(every));
    expect(storedBytes(stored.graph.weights.get("w_q")!)).toBe((64 * 48) / 2);
    const wanted = await outputOf(node, model, feedsOf(model));
    for (const { data } of await inBoth(stored, feedsOf(model)))
      expect(relativeL2(data, wanted.data)).toBeLessThan(1e-6);
  });
  it("leaves weights alone that are not finite, or whose codes fill no whole bytes", async () => {
    const broken = linear(64, 48);
    (broken.graph.weights.get("w")!.data as Float32Array)[5] = Number.NaN;
    expect((await applied(broken, palettize(every))).entries).toMatchObject([
      { reason: "its weights are not all finite" },
    ]);
    expect((await applied(linear(9, 7), palettize({ ...every, bits: 1 }))).entries).toMatchObject([
      { action: "skipped", reason: "63 codes of 1 bits do not fill whole bytes" },
    ]);
  });
  testPass(it, () => palettize(every), { ort: node });
});

const products: readonly (readonly [string, Model, ProductQuantizeOptions, number])[] = [
  ["linear, 4 columns", linear(64, 192), { bits: 6 }, 4],
  ["linear, 8 columns", linear(256, 64), { bits: 8, width: 8 }, 8],
  ["convolution by its kernels", conv([64, 16, 3, 3], 1), { bits: 6 }, 9],
  ["pointwise convolution", conv([64, 64, 1, 1], 1), { bits: 5 }, 4],
];

describe("productQuantize, in onnxruntime-node and onnxruntime-web", () => {
  it.each(products)(
    "Q-14: %s: equals the float model with the nearest codewords, to 1e-6",
    async (_, model, options, width) => {
      const { model: stored, entries } = await applied(model, productQuantize({ ...every, ...options }));
      expect(entries[0]!.form).toBe(`codewords ${options.bits} bits, ${width} columns`);
      const fake = await faked(model, (w, rows, columns, layer) => {
        const rng = createRng(0).fork("quant/product-quantize").fork(layer.name);
        return productPalette(w, rows, columns, { width, bits: options.bits!, rng, half: true });
      });
      const wanted = await outputOf(node, fake, feedsOf(model));
      for (const { data, dims } of await inBoth(stored, feedsOf(model))) {
        expect(dims).toEqual(wanted.dims);
        expect(relativeL2(data, wanted.data)).toBeLessThan(1e-6);
      }
    },
  );
  it("Q-14: with calibration data errs less in the output than without", async () => {
    const model = linear(64, 192);
    const feeds = Array.from({ length: 8 }, (_, seed) => ({
      x: tensor(
        "float32",
        [3, 64],
        (gaussian([3, 64], seed + 20).data as Float32Array).map((x, i) => x * (i % 4 === 0 ? 6 : 0.5)),
      ),
    }));
    const pass = productQuantize({ ...every, bits: 6 });
    const [plain, weighted] = [
      await runPass(model, pass),
      await runPass(model, pass, { ort: node, calibration: () => feeds }),
    ];
    const errors = [0, 0];
    for (const own of feeds) {
      const wanted = (await outputOf(node, model, own)).data;
      errors[0]! += relativeL2((await outputOf(node, plain, own)).data, wanted);
      errors[1]! += relativeL2((await outputOf(node, weighted, own)).data, wanted);
    }
    expect(errors[1]!).toBeLessThan(0.8 * errors[0]!);
  });
  it("leaves layers alone that have no more subvectors than codewords, or are not finite", async () => {
    expect((await applied(linear(16, 16), productQuantize(every))).entries).toMatchObject([
      { action: "skipped", reason: "its 64 subvectors are no more than the codewords" },
    ]);
    const broken = linear(64, 192);
    (broken.graph.weights.get("w")!.data as Float32Array)[5] = Number.NaN;
    expect((await applied(broken, productQuantize({ ...every, bits: 6 }))).entries).toMatchObject([
      { reason: "its weights are not all finite" },
    ]);
  });
  testPass(it, () => productQuantize({ ...every, bits: 4 }), { ort: node });
});
