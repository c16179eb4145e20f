import { createContext, layers, normObserver, type ReportEntry, runPass, writeOnnx } from "@espalier/core";
import { gaussian, tinyMlp, tinyTransformer } from "@espalier/core/testing";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { calibratedRound } from "./calibrated-round.ts";
import { rtn } from "./rtn.ts";
import { weightPass } from "./weight-pass.ts";

describe("weightPass", () => {
  it("with a rule that rounds to nearest writes the bytes that rtn writes, in every form", async () => {
    const { model } = tinyTransformer();
    for (const form of ["auto", "decode", "DequantizeLinear"] as const) {
      const options = { bits: 4, float16Below: 0, form } as const;
      const asked: string[] = [];
      const own = weightPass({
        name: "quant/own",
        options,
        round: (_, __, grids) => {
          asked.push(...[...grids.keys()].map(({ name }) => name));
          return (rows, { rows: count, columns }, grid) => quantizeRows(rows, count, columns, grid);
        },
      });
      const bytes = await writeOnnx(await runPass(model, own));
      expect(Buffer.compare(bytes, await writeOnnx(await runPass(model, rtn(options))))).toBe(0);
      expect(asked.length).toBeGreaterThan(3);
    }
  });

  it("reports the layers that a rule finds no finite grid for", async () => {
    const { model } = tinyMlp();
    const report: ReportEntry[] = [];
    const pass = weightPass({
      name: "quant/none",
      options: { bits: 4, float16Below: 0 },
      round: () => () => undefined,
    });
    expect(await runPass(model, pass, { report: (entry) => report.push(entry) })).toBe(model);
    expect(report.map(({ action }) => action)).toEqual(layers(model).map(() => "skipped"));
  });
});

describe("calibratedRound", () => {
  it("in sequence, meets each layer's input as the rounded layers before it make it", async () => {
    const { model } = tinyMlp();
    const calibration = () => [0, 1, 2].map((seed) => ({ x: gaussian([4, 24], seed) }));
    const grids = new Map(layers(model).map((layer) => [layer, { bits: 2 as const }]));
    const squares = async (sequential: boolean) => {
      const found: number[] = [];
      await calibratedRound(model, createContext({ ort, calibration }), grids, {
        name: "quant/test",
        sequential,
        observer: (only) => normObserver({ only }),
        round(rows, shape, grid, _, stats) {
          found.push(stats!.squares.reduce((a, b) => a + b, 0));
          return quantizeRows(rows, shape.rows, shape.columns, grid);
        },
      });
      return found;
    };
    const [inTurn, atOnce] = [await squares(true), await squares(false)];
    expect(inTurn[0]).toBe(atOnce[0]);
    expect(inTurn.slice(1).every((sum, i) => Math.abs(sum / atOnce[i + 1]! - 1) > 1e-3)).toBe(true);
  });

  it("at once, observes layers in groups that fit the memory, to the same statistics", async () => {
    const { model } = tinyMlp();
    const calibration = () => [0, 1].map((seed) => ({ x: gaussian([4, 24], seed) }));
    const grids = new Map(layers(model).map((layer) => [layer, { bits: 4 as const }]));
    const seen = async (memory: number) => {
      let passes = 0;
      const sums: number[] = [];
      await calibratedRound(model, createContext({ ort, calibration }), grids, {
        name: "quant/test",
        sequential: false,
        bytes: () => 10,
        memory,
        observer(only) {
          passes++;
          return normObserver({ only });
        },
        round(rows, shape, grid, _, stats) {
          sums.push(stats!.squares.reduce((a, b) => a + b, 0));
          return quantizeRows(rows, shape.rows, shape.columns, grid);
        },
      });
      return { passes, sums };
    };
    const [one, many] = [await seen(1000), await seen(10)];
    expect(one.passes).toBe(1);
    expect(many.passes).toBe(grids.size);
    expect(many.sums).toEqual(one.sums);
  });
});
