import { createContext, gramObserver, gramOf, type Layer, layers, type Model, observe, runPass } from "@espalier/core";
import { testPass, tinyTransformer } from "@espalier/core/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { classifier, pictures } from "../../test/classifier.ts";
import { applied, inBoth, node, operatorsOf, relativeL2 } from "../../test/runtimes.ts";
import { dequantizeRows } from "../grid/grid.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { adaRoundRows } from "../solve/ada-round.ts";
import { signRoundRows } from "../solve/sign-round.ts";
import { adaRound } from "./ada-round.ts";
import { roundByGram } from "./gram-round.ts";
import { signRound } from "./sign-round.ts";
import { rowsOf, rowValues } from "./weight-fit.ts";

const methods = {
  adaRound: (options: object = {}) => adaRound({ steps: 120, ...options }),
  signRound: (options: object = {}) => signRound({ steps: 80, ...options }),
};

describe.each(Object.entries(methods))("%s", (name, make) => {
  const id = name === "adaRound" ? "Q-12" : "QL-06";
  testPass(it, () => make({ float16Below: 0, bits: 4 }), { ort: node });

  it(`${id}: writes each form of rtn, which both runtimes run alike to 1e-4`, async () => {
    const { model, samples } = tinyTransformer();
    for (const [form, operator] of [
      ["decode", "Gather"],
      ["MatMulNBits", "MatMulNBits"],
    ] as const) {
      const context = { ort: node, calibration: () => samples };
      const { model: made } = await applied(
        model,
        make({ float16Below: 0, bits: 4, form, embeddings: "float" }),
        context,
      );
      expect(operatorsOf(made)).toContain(operator);
      const [first, second] = await inBoth(made, samples[0]!);
      expect(relativeL2(second!.data, first!.data)).toBeLessThan(1e-4);
    }
  });

  it(`${id}: asks for calibration`, async () => {
    await expect(runPass(tinyTransformer().model, make(), { ort: node })).rejects.toMatchObject({
      code: "MISSING_NEED",
    });
  });
});

describe("learned rounding on PP-OCR's classifier", () => {
  let model: Model;
  const calibration = () => pictures(8);
  beforeAll(async () => {
    model = await classifier();
  });

  it("Q-12, QL-06: the output error of every layer is at most that of rtn on the calibration data, 0.8 times in the mean", async () => {
    const context = createContext({ ort: node, calibration });
    const chosen = layers(model).filter((_, i) => i % 3 === 0);
    const names = new Set(chosen.map((layer) => layer.name));
    const stats = await observe(model, gramObserver({ only: (layer) => names.has(layer.name) }), context);
    const errorOf = async (layer: Layer, back: Float32Array) => {
      const [rows, columns] = rowsOf(layer);
      const [w, own] = [await rowValues(layer), stats.get(layer.name)!];
      let sum = 0;
      for (let row = 0; row < rows; row++) {
        const gram = gramOf(own, Math.floor((row * own.groups) / rows));
        for (let i = 0; i < columns; i++)
          for (let j = 0; j < columns; j++) {
            const [a, b] = [row * columns + i, row * columns + j];
            sum += (back[a]! - w[a]!) * gram.data[i * columns + j]! * (back[b]! - w[b]!);
          }
      }
      return sum;
    };
    const shares: number[] = [];
    for (const layer of chosen) {
      const [rows, columns] = rowsOf(layer);
      const w = await rowValues(layer);
      const options = { bits: 4, clip: "mse" } as const;
      const nearest = await errorOf(layer, dequantizeRows(quantizeRows(w, rows, columns, options)));
      const ada = roundByGram(
        w,
        { rows, columns },
        options,
        layer,
        stats.get(layer.name),
        context.rng,
        (...given) =>
          adaRoundRows(
            given[0],
            given[1],
            given[2],
            given[3],
            { steps: 60, learningRate: 0.05, regularization: 10 },
            given[4],
          ).grid,
      );
      const sign = roundByGram(w, { rows, columns }, options, layer, stats.get(layer.name), context.rng, (...given) =>
        signRoundRows(given[0], given[1], given[2], given[3], { steps: 60 }, given[4]),
      );
      for (const grid of [ada, sign]) {
        const error = await errorOf(layer, dequantizeRows(grid));
        expect(error).toBeLessThanOrEqual(nearest * (1 + 1e-9));
        shares.push(error / nearest);
      }
    }
    expect(shares.reduce((a, b) => a + b, 0) / shares.length).toBeLessThan(0.8);
  });
});
