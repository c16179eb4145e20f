import type { Report } from "@espalier/combine";
import type { ReportEntry } from "@espalier/core";
import { describe, expect, it } from "vitest";
import { type CompressReport, compressReport } from "./compress-report.ts";
import { whereErrorGrows } from "./error-growth.ts";
import { bytes, count, milliseconds, number, percent, plural, times } from "./format.ts";
import { layersSummary } from "./layers-summary.ts";
import { type Paper, paperOf } from "./paper.ts";
import { table } from "./table.ts";

const plainPaper: Paper = { width: 10_000, paint: (_, text) => text };

describe("numbers", () => {
  it("keep four digits and a unit that fits", () => {
    expect([0, 812, 190_839, 10_822_323, 1.9e9].map(bytes)).toEqual([
      "0 B",
      "812 B",
      "190.8 kB",
      "10.82 MB",
      "1.900 GB",
    ]);
    expect([999_999, 1000].map(bytes)).toEqual(["1.000 MB", "1.000 kB"]);
    expect([0, 0.0378, 12.3456, 1.2e-7, 2_500_000, Infinity, -Infinity, NaN].map((x) => number(x))).toEqual([
      "0",
      "0.0378",
      "12.35",
      "1.2e-7",
      "2.5e6",
      "∞",
      "-∞",
      "NaN",
    ]);
    expect([0.42, 23.14, 1230].map(milliseconds)).toEqual(["0.420 ms", "23.1 ms", "1.23 s"]);
    expect([0.912, 0.034].map(times)).toEqual(["0.91 ×", "0.034 ×"]);
    expect([1, 0.99849].map(percent)).toEqual(["100 %", "99.8 %"]);
    expect([7, 1234, 2_690_312].map(count)).toEqual(["7", "1,234", "2,690,312"]);
    expect([plural(1, "layer"), plural(2, "layer")]).toEqual(["1 layer", "2 layers"]);
  });
});

describe("a table", () => {
  const rows = [
    ["a very long name of a layer", "1"],
    ["短い", "200"],
  ];
  const columns = [
    { head: "name", cut: "middle" as const },
    { head: "size", align: "right" as const },
  ];

  it("aligns its columns, wide characters too", () => {
    expect(table(columns, rows, plainPaper).split("\n")).toEqual([
      "  name                         size",
      "  a very long name of a layer     1",
      "  短い                          200",
    ]);
  });

  it("is never wider than the terminal: names are cut in the middle", () => {
    const lines = table(columns, rows, { ...plainPaper, width: 24 }).split("\n");
    expect(lines[1]).toMatch(/^ {2}a ver…of a layer {5}1$/);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(24);
  });

  it("shows colours on a terminal only, and not where NO_COLOR or TERM=dumb asks for none", () => {
    const terminal = { write: () => true, isTTY: true, columns: 60 };
    const painted = (env: Record<string, string>, stdout = terminal) => paperOf({ stdout, env }).paint("bold", "x");
    expect(painted({})).toBe("\x1b[1mx\x1b[22m");
    expect([painted({ NO_COLOR: "1" }), painted({ TERM: "dumb" }), painted({}, { ...terminal, isTTY: false })]).toEqual(
      ["x", "x", "x"],
    );
  });
});

describe("layers in a report", () => {
  const changed = (layer: string, form: string, [bytesBefore, bytesAfter]: [number, number]): ReportEntry => ({
    pass: "quant/rtn",
    layer,
    action: "changed",
    form,
    bytesBefore,
    bytesAfter,
  });
  const skipped = (layer: string, reason: string): ReportEntry => ({
    pass: "quant/rtn",
    layer,
    action: "skipped",
    reason,
  });

  it("are told by form, largest first, blocks as a range; those left alone by reason and name", () => {
    const text = layersSummary(
      [
        changed("a", "float16", [2000, 1000]),
        changed("b", "decode 8 bits, block 52", [4000, 1000]),
        changed("c", "decode 8 bits, block 44", [4000, 1000]),
        skipped("d", "too small"),
        skipped("e", "too small"),
        skipped("f", "too small"),
        { pass: "core/fold", layer: "", action: "note", reason: "12 nodes were merged" },
      ],
      plainPaper,
    );
    expect(text.split("\n")).toEqual([
      "  2 layers  8.000 kB → 2.000 kB  decode 8 bits, block 44 to 52",
      "   1 layer  2.000 kB → 1.000 kB  float16",
      "  3 layers  left alone           too small: d, e and 1 more",
      "  12 nodes were merged",
    ]);
  });
});

describe("where the error grows", () => {
  const layers = (...errors: number[]) => errors.map((relativeL2, i) => ({ value: `v${i}`, relativeL2 }));
  it("is told by values above all before them, in the order of the graph", () => {
    expect(whereErrorGrows(layers(0, 0.01, 0.005, 0.02, 0.02, 0.5), 8).map(({ value }) => value)).toEqual([
      "v1",
      "v3",
      "v5",
    ]);
  });
  it("keeps the largest steps where there are more than can be shown", () => {
    expect(whereErrorGrows(layers(0.01, 0.02, 0.3, 0.31, 0.6), 2).map(({ value }) => value)).toEqual(["v2", "v4"]);
  });
});

describe("the report of compress", () => {
  const report: Report = {
    input: { bytes: 10_822_323, brotli: 9_500_000 },
    output: { bytes: 2_911_855, brotli: 2_190_000 },
    recipe: "int8-weights",
    target: "node",
    layers: [],
    candidates: [
      { recipe: "int8-weights", bytes: 2_911_855, latencyRatio: 0.91, verdict: "chosen" },
      {
        recipe: "int4",
        verdict: "over",
        bytes: 2_361_805,
        latencyRatio: 0.9,
        reason: 'relative L2 of "y" 0.18, at most 0.1',
      },
    ],
    data: "generated",
    fidelity: {
      y: { relativeL2: 0.0123, sqnrDb: 38.2, cosine: 0.99992, maxAbs: 0.11, argmaxAgreement: 0.998, kl: 0.0002 },
    },
    metrics: {
      before: { cer: { value: 0.0378, better: "lower" } },
      after: { cer: { value: 0.0379, better: "lower" } },
    },
    latency: {
      before: { median: 23.1, low: 22.8, high: 23.9 },
      after: { median: 21, low: 20.7, high: 21.5 },
      ratio: 0.909,
    },
    budget: {},
    met: true,
    stopped: false,
    seconds: 12.3,
    warnings: ["int8 activations need --data"],
  };
  const full: CompressReport = { ...report, asked: "auto", from: "m.onnx", to: "m.auto.onnx", threads: 1 };

  it("shows sizes, latency, metrics, fidelity, all candidates and warnings", () => {
    expect(compressReport(full, plainPaper)).toMatchInlineSnapshot(`
      "m.onnx → m.auto.onnx
      recipe int8-weights, chosen by auto, for node

                   before     after
        size     10.82 MB  2.912 MB  0.27 ×
        brotli   9.500 MB  2.190 MB  0.23 ×  as a server sends it
        latency   23.1 ms   21.0 ms  0.91 ×  onnxruntime-node, 1 thread; middle half 22.8–23.9 and 20.7–21.5 ms
        cer        0.0378    0.0379          lower is better

      fidelity, on made-up inputs; --data measures on yours
        output  relative L2     SQNR   cosine  max abs  same argmax      KL
        y            0.0123  38.2 dB  0.99992     0.11       99.8 %  0.0002

      tried
          recipe            size  latency
        ✓ int8-weights  2.912 MB   0.91 ×  chosen
        ✗ int4          2.362 MB   0.90 ×  relative L2 of "y" 0.18, at most 0.1

      ! int8 activations need --data

      12.3 s
      "
    `);
  });

  it("fits a narrow terminal", () => {
    const paper = { width: 80, paint: plainPaper.paint };
    for (const line of compressReport(full, paper).split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  });
});
