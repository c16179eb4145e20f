import {
  attrs,
  countMacs,
  type Feeds,
  layers,
  type Model,
  makeNode,
  measureSize,
  openSession,
  type ReportEntry,
  runPass,
  writeOnnx,
} from "@espalier/core";
import { expectClose, gaussian, tinyModel } from "@espalier/core/testing";
import * as ort from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { type ScanRow, type StructuredOptions, structured } from "../index.ts";

/** Two branches of 3 × 3 convolutions, 16 channels each, added; what comes from the quiet one is a hundredth of the other. */
const branches = (): Model => {
  const window = { kernel_shape: attrs.ints([3, 3]), pads: attrs.ints([1, 1, 1, 1]) };
  return tinyModel({
    inputs: { x: ["float32", ["n", 3, 8, 8]] },
    outputs: ["y"],
    weights: {
      w1: gaussian([16, 3, 3, 3], 1, 0.3),
      w2: gaussian([4, 16, 3, 3], 2, 0.2),
      w3: gaussian([16, 3, 3, 3], 3, 0.3),
      w4: gaussian([4, 16, 3, 3], 4, 0.002),
    },
    nodes: [
      makeNode("Conv", ["x", "w1"], ["a"], window, { name: "loud" }),
      makeNode("Relu", ["a"], ["b"], {}, { name: "relu1" }),
      makeNode("Conv", ["b", "w2"], ["c"], window, { name: "loud2" }),
      makeNode("Conv", ["x", "w3"], ["d"], window, { name: "quiet" }),
      makeNode("Relu", ["d"], ["e"], {}, { name: "relu2" }),
      makeNode("Conv", ["e", "w4"], ["f"], window, { name: "quiet2" }),
      makeNode("Add", ["c", "f"], ["y"], {}, { name: "sum" }),
    ],
  });
};

const samples: Feeds[] = [1, 2, 3, 4].map((seed) => ({ x: gaussian([4, 3, 8, 8], 50 + seed) }));
const context = { ort, calibration: () => samples };
const scan: StructuredOptions = { scope: "scan", multiple: 1 };

const widthOf = (model: Model, name: string) => layers(model).find((layer) => layer.name === name)!.weight.dims[0];

describe("structured by a scan", () => {
  it("P-01: takes channels where the outputs hardly feel it, which shares of each layer's own variance do not tell", async () => {
    const small = await runPass(branches(), structured({ ...scan, ratio: 0.3 }), context);
    expect(widthOf(small, "loud")).toBe(16);
    expect(widthOf(small, "quiet")).toBeLessThanOrEqual(16 * 0.4);
    const [before, after] = [branches(), small].map((model) => countMacs(model, { ort, feeds: samples[0] }));
    expect((await after).total / (await before).total).toBeLessThanOrEqual(0.7);
  });

  it("reports a row for each group and count, errors rising with the count", async () => {
    const entries: ReportEntry[] = [];
    const report = (entry: ReportEntry) => entries.push(entry);
    const cache = new Map<string, ScanRow>();
    await runPass(branches(), structured({ ...scan, ratio: 0.2, cache }), { ...context, report });
    const rows = [...cache.values()].filter(({ group }) => group === "loud");
    expect(rows.map(({ gone }) => gone)).toEqual([2, 4, 8, 12]);
    expect(rows.map(({ error }) => error)).toEqual(rows.map(({ error }) => error).sort((a, b) => a - b));
    expect(entries.filter(({ action, layer }) => action === "note" && layer === "loud")).toHaveLength(4);
  });

  it("measures nothing that the cache holds, and makes the same bytes from it", async () => {
    const cache = new Map<string, ScanRow>();
    const pass = structured({ ...scan, ratio: 0.2, cache });
    const first = await writeOnnx(await runPass(branches(), pass, context));
    const kept = new Map(JSON.parse(JSON.stringify([...cache])) as [string, ScanRow][]);
    let missed = 0;
    const reading = {
      get: (key: string) => kept.get(key),
      set: (key: string, row: ScanRow) => {
        if (row !== kept.get(key)) missed++;
      },
    };
    const second = await runPass(branches(), structured({ ...scan, ratio: 0.2, cache: reading }), context);
    expect(missed).toBe(0);
    expect(await writeOnnx(second)).toEqual(first);
  });

  it("keeps a budget of bytes: at most 0.8 of the model's", async () => {
    const model = branches();
    const small = await runPass(model, structured({ ...scan, ratio: 0.2, budget: "bytes" }), context);
    expect(measureSize(small).bytes / measureSize(model).bytes).toBeLessThanOrEqual(0.8);
  });

  it("gives models that onnxruntime-web runs with the outputs of onnxruntime-node, within 1e-5", async () => {
    const small = await runPass(branches(), structured({ ...scan, ratio: 0.2 }), context);
    const outputs = [];
    for (const engine of [ort, web]) {
      const session = await openSession(engine, small);
      outputs.push((await session.run(samples[0])).y);
      await session.release();
    }
    expectClose(outputs[1], outputs[0], 1e-5);
  });

  const refused: [string, StructuredOptions][] = [
    ["a budget of bytes without a scan", { budget: "bytes" }],
    ["an unknown scope", { scope: "best" as "scan" }],
  ];
  it.each(refused)("refuses %s with BAD_OPTION", (_, options) => {
    expect(() => structured(options)).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
  });
});
