import {
  createContext,
  gramObserver,
  gramOf,
  layers,
  type Model,
  observe,
  openSession,
  type ReportEntry,
  runPass,
} from "@espalier/core";
import { type TinyCase, testPass, tinyTransformer } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { gated } from "../../test/gated.ts";
import { applied, inBoth, node, operatorsOf, outputOf, relativeL2 } from "../../test/runtimes.ts";
import { dequantizeRows } from "../grid/grid.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { scalePlaces } from "../prepare/scale-places.ts";
import { awqScales, chooseAwqScales } from "../solve/awq-scales.ts";
import { awq } from "./awq.ts";
import { dynamicInt8 } from "./dynamic-int8.ts";
import { gptq } from "./gptq.ts";
import { rtn } from "./rtn.ts";
import { smoothQuant } from "./smooth-quant.ts";
import { rowValues } from "./weight-fit.ts";

const contextOf = ({ samples }: TinyCase) => ({ ort: node, calibration: () => samples });
const errorOf = async (given: TinyCase, made: Model) => {
  const x = given.samples[0]!;
  return relativeL2((await outputOf(node, made, x)).data, (await outputOf(node, given.model, x)).data);
};

describe("awq", () => {
  testPass(it, () => awq({ float16Below: 0 }), { ort: node });

  it("Q-16: scaling alone changes no output by more than 1e-5, in normalizations and products of gated blocks", async () => {
    const given = gated();
    expect(scalePlaces(given.model).map(({ value, others }) => [value, others.length])).toEqual([
      ["n", 0],
      ["h", 0],
    ]);
    const made = await runPass(given.model, awq({ scaleOnly: true, bits: 3, float16Below: 0 }), contextOf(given));
    expect(await errorOf(given, made)).toBeLessThan(1e-5);
    expect(await layers(made)[0]!.weight.read()).not.toEqual(await layers(given.model)[0]!.weight.read());
  });

  it("Q-16: the search errs at most as much as rounding to nearest, which is r = 0, and less with outlier channels", async () => {
    const given = gated();
    const all = layers(given.model).slice(0, 2);
    const stats = await observe(given.model, gramObserver(), createContext(contextOf(given)));
    const gram = stats.get("gate")!;
    const H = gramOf(gram);
    for (const bits of [2, 3, 4] as const) {
      const grid = { bits, blockSize: 16 };
      const weights = [];
      for (const layer of all) weights.push({ rows: await rowValues(layer), grid });
      const sizes = Float64Array.from({ length: H.columns }, (_, j) => Math.sqrt(H.data[j * H.columns + j]! / gram.n));
      const { exponent, error, plain } = chooseAwqScales(weights, sizes, H);
      expect(exponent).toBeGreaterThan(0);
      expect(error).toBeLessThan(0.7 * plain);
      let nearest = 0;
      for (const { rows } of weights) {
        const back = dequantizeRows(quantizeRows(rows, rows.length / 64, 64, grid));
        const d = rows.map((value, i) => back[i]! - value);
        for (let r = 0; r < d.length; r += 64)
          for (let i = 0; i < 64; i++)
            for (let j = 0; j < 64; j++) nearest += d[r + i]! * H.data[i * 64 + j]! * d[r + j]!;
      }
      expect(Math.abs(plain / nearest - 1)).toBeLessThan(1e-5);
    }
    expect([...awqScales([1, 2, 4], 0)]).toEqual([1, 1, 1]);
  });

  it("Q-16: 3-bit outputs err at most 0.8 times as much as with rtn, also with gptq behind, and both runtimes run them alike", async () => {
    const given = gated();
    const options = { bits: 3, blockSize: 32, float16Below: 0, sensitive: [] } as const;
    const plain = await errorOf(given, await runPass(given.model, rtn(options), contextOf(given)));
    const { model, entries } = await applied(given.model, awq(options), contextOf(given));
    expect(await errorOf(given, model)).toBeLessThan(0.8 * plain);
    expect(entries.some(({ reason }: ReportEntry) => reason?.startsWith("inputs scaled"))).toBe(true);
    const [first, second] = await inBoth(model, given.samples[0]!);
    expect(relativeL2(second!.data, first!.data)).toBeLessThan(1e-4);
    const prepared = await runPass(given.model, awq({ ...options, scaleOnly: true }), contextOf(given));
    const both = await runPass(prepared, gptq(options), contextOf(given));
    expect(await errorOf(given, both)).toBeLessThan(0.8 * plain);
  });

  it("asks for calibration with MISSING_NEED", async () => {
    await expect(runPass(gated().model, awq(), { ort: node })).rejects.toMatchObject({ code: "MISSING_NEED" });
  });
});

describe("smoothQuant", () => {
  testPass(it, () => smoothQuant(), { ort: node });

  it("QL-02: changes no output by more than 1e-5, also where others read the value, who get it back by a product", async () => {
    for (const given of [gated(), tinyTransformer()]) {
      const made = await runPass(given.model, smoothQuant(), contextOf(given));
      expect(made).not.toBe(given.model);
      expect(await errorOf(given, made)).toBeLessThan(1e-5);
    }
    const given = tinyTransformer();
    const count = (model: Model) => operatorsOf(model).filter((operator) => operator === "Mul").length;
    expect(count(await runPass(given.model, smoothQuant(), contextOf(given)))).toBe(count(given.model) + 1);
    expect(count(await runPass(given.model, smoothQuant({ insert: false }), contextOf(given)))).toBe(
      count(given.model),
    );
  });

  it("QL-02: alpha 1 makes the largest value of every channel 1 on the calibration data, within 1e-5", async () => {
    const given = gated();
    const made = await runPass(given.model, smoothQuant({ alpha: 1 }), contextOf(given));
    const session = await openSession(node, made, { fetch: ["n"] });
    const most = new Float64Array(64);
    for (const feeds of given.samples) {
      const { data } = (await session.run(feeds, ["n"])).n!;
      for (let i = 0; i < data.length; i++) most[i % 64] = Math.max(most[i % 64]!, Math.abs(Number(data[i])));
    }
    await session.release();
    for (const value of most) expect(Math.abs(value - 1)).toBeLessThan(1e-5);
  });

  it("QL-02: with outlier channels, 8-bit activations err at most half as much behind it", async () => {
    const given = gated();
    const int8 = dynamicInt8({ inputParts: 1, skip: ["down"] });
    const plain = await errorOf(given, await runPass(given.model, int8, contextOf(given)));
    const smooth = await runPass(given.model, smoothQuant(), contextOf(given));
    expect(await errorOf(given, await runPass(smooth, int8, contextOf(given)))).toBeLessThan(0.5 * plain);
  });

  it("refuses an alpha out of range with BAD_OPTION", () => {
    expect(() => smoothQuant({ alpha: 1.5 })).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
  });
});
