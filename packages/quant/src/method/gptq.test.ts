import {
  createContext,
  gramObserver,
  gramOf,
  layers,
  observe,
  type ReportEntry,
  runPass,
  tensor,
} from "@espalier/core";
import { testPass, tinyTransformer } from "@espalier/core/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { classifier, pictures } from "../../test/classifier.ts";
import { applied, inBoth, node, operatorsOf, relativeL2 } from "../../test/runtimes.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { byRowParts } from "../grid/row-parts.ts";
import { gptqInput, gptqRows } from "../solve/gptq.ts";
import { rowErrors } from "../solve/row-errors.ts";
import { gptq } from "./gptq.ts";
import { rtn } from "./rtn.ts";
import { rowsOf, rowValues } from "./weight-fit.ts";

describe("gptq", () => {
  testPass(it, () => gptq({ float16Below: 0, bits: 4 }), { ort: node });

  it("QL-01: writes each form of rtn, which both runtimes run alike to 1e-4", async () => {
    const { model, samples } = tinyTransformer();
    const context = { ort: node, calibration: () => samples };
    for (const [form, operator] of [
      ["decode", "Gather"],
      ["MatMulNBits", "MatMulNBits"],
      ["DequantizeLinear", "DequantizeLinear"],
    ] as const) {
      const pass = gptq({ float16Below: 0, bits: 4, form, embeddings: "float" });
      const { model: made } = await applied(model, pass, context);
      expect(operatorsOf(made)).toContain(operator);
      const [first, second] = await inBoth(made, samples[0]!);
      expect(relativeL2(second!.data, first!.data)).toBeLessThan(form === "DequantizeLinear" ? 2e-2 : 1e-4);
    }
  });

  it("refuses options out of range with BAD_OPTION, and asks for calibration with MISSING_NEED", async () => {
    for (const bad of [{ damp: 2 }, { sweepBlock: 0 }, { refine: -1 }, { staticGroups: false }])
      expect(() => gptq(bad)).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
    const { model } = tinyTransformer();
    for (const pass of [gptq(), rtn({ clip: "imatrix" })])
      await expect(runPass(model, pass, { ort: node })).rejects.toMatchObject({ code: "MISSING_NEED" });
  });

  it("rounds to nearest, with a note, what is not observed; data that is not finite neither stops it nor spoils weights", async () => {
    const { model, samples } = tinyTransformer();
    const report: ReportEntry[] = [];
    const options = { ort: node, calibration: () => samples, report: (entry: ReportEntry) => report.push(entry) };
    await runPass(model, gptq({ float16Below: 0, bits: 4 }), options);
    const notes = report.filter(({ action }) => action === "note");
    expect(notes.map(({ reason }) => reason)).toContain("rounded to nearest: its input was not observed");
    const [first] = samples;
    const [name, x] = Object.entries(first!).find(([, { type }]) => type === "float32") ?? [];
    if (name && x) {
      const bad = { ...first!, [name]: tensor("float32", x.dims, new Float32Array(x.data.length).fill(Number.NaN)) };
      const made = await runPass(model, gptq({ float16Below: 0 }), { ort: node, calibration: () => [bad] });
      for (const layer of layers(made)) expect((await layer.weight.read()).every(Number.isFinite)).toBe(true);
    }
  });
});

describe("gptq on PP-OCR's classifier", () => {
  let given: Awaited<ReturnType<typeof known>>;
  const calibration = () => pictures(4);
  const known = async () => {
    const model = await classifier();
    const stats = await observe(model, gramObserver(), createContext({ ort: node, calibration }));
    return { model, stats };
  };
  beforeAll(async () => {
    given = await known();
  });

  it("QL-01: no output of any layer, convolutions through their patches, errs more than by rounding to nearest; all together half as much", async () => {
    const shares: number[] = [];
    for (const layer of layers(given.model)) {
      const stats = given.stats.get(layer.name);
      const [rows, columns] = rowsOf(layer);
      if (!stats || stats.columns !== columns) continue;
      const w = await rowValues(layer);
      const grams = Array.from({ length: stats.groups }, (_, group) => {
        const gram = gramOf(stats, group);
        return { ...gram, data: gram.data.map((v) => v / stats.n) };
      });
      const options = { bits: 4, symmetric: false } as const;
      const nearest = quantizeRows(w, rows, columns, options);
      const made = byRowParts(w, { rows, columns }, stats.groups, (part, count, group) =>
        gptqRows(part, count, gptqInput(grams[group]!), options),
      );
      const [own, plain] = [made, nearest].map((grid) => {
        const d = rowErrors(w, grid).data;
        return Array.from({ length: rows }, (_, r) => {
          const { data } = grams[Math.floor((r * stats.groups) / rows)]!;
          let sum = 0;
          for (let i = 0; i < columns; i++)
            for (let j = 0; j < columns; j++) sum += d[r * columns + i]! * data[i * columns + j]! * d[r * columns + j]!;
          return sum;
        });
      });
      for (const [r, error] of own!.entries()) expect(error).toBeLessThanOrEqual(plain![r]! * (1 + 1e-6) + 1e-12);
      const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
      if (sum(plain!) > 0) shares.push(sum(own!) / sum(plain!));
    }
    expect(shares.length).toBeGreaterThan(20);
    expect(shares.reduce((a, b) => a + b, 0) / shares.length).toBeLessThan(0.5);
  });
});
