import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { realModels } from "../../test/real-models.ts";
import * as attrs from "../attrs.ts";
import { makeNode } from "../attrs.ts";
import { openModel } from "../onnx/open.ts";
import { saveModel } from "../onnx/save.ts";
import { writeOnnx } from "../onnx/write.ts";
import { tensor } from "../tensor.ts";
import { gaussian, tinyMlp, tinyModel } from "../testing/index.ts";
import { measureSize } from "./size.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "espalier-size-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("measureSize", () => {
  it("gives the bytes of the file, and of each weight and element type", async () => {
    const { model } = tinyMlp();
    const size = measureSize(model);
    expect(size.bytes).toBe((await writeOnnx(model)).length);
    expect(size.weights.map(({ name, dims, bytes }) => [name, dims, bytes])).toEqual([
      ["w1", [24, 48], 4 * 24 * 48],
      ["b1", [48], 4 * 48],
      ["w2", [10, 48], 4 * 480],
      ["b2", [10], 40],
    ]);
    expect(size.parameters).toBe(24 * 48 + 48 + 480 + 10);
    expect(size.byType).toEqual({ float32: 4 * size.parameters });
  });

  it("finds the weights of the recogniser, which lie in Constant nodes, and of silero, in subgraphs: 90 % of the file", async () => {
    for (const path of [realModels.recogniser, realModels.voiceActivity]) {
      const { bytes, weights, byType } = measureSize(await openModel(path));
      const stored = weights.reduce((sum, weight) => sum + weight.bytes, 0);
      expect(Object.values(byType).reduce((a, b) => a + b)).toBe(stored);
      expect(stored).toBeLessThan(bytes);
      expect(stored).toBeGreaterThan(0.9 * bytes);
    }
  });

  it("counts external files with their padding, as saveModel writes them", async () => {
    const model = tinyModel({
      inputs: { x: ["float32", [1, 300]] },
      outputs: ["y"],
      weights: { w: gaussian([300, 301], 1), v: gaussian([301, 7], 2) },
      nodes: [makeNode("MatMul", ["x", "w"], ["m"]), makeNode("MatMul", ["m", "v"], ["y"])],
    });
    const saved = await saveModel(model, join(folder, "model.onnx"), { externalData: true });
    const external = await openModel(saved.path);
    expect(saved.files.length).toBe(2);
    expect(saved.bytes).toBeGreaterThan(measureSize(model).bytes);
    expect(measureSize(external).bytes).toBe(saved.bytes);
    expect(measureSize(external).weights).toEqual(measureSize(model).weights);
  });

  it("counts each code of a packed weight: two in a byte at 4 bits", () => {
    const model = tinyModel({
      inputs: { x: ["float32", [1, 32]] },
      outputs: ["y"],
      weights: {
        w: tensor("uint8", [8, 1, 16], new Uint8Array(128)),
        s: tensor("float32", [8], new Float32Array(8)),
      },
      nodes: [
        makeNode(
          "MatMulNBits",
          ["x", "w", "s"],
          ["y"],
          { bits: attrs.int(4), K: attrs.int(32), N: attrs.int(8), block_size: attrs.int(32) },
          { domain: "com.microsoft" },
        ),
      ],
      domains: { "com.microsoft": 1 },
    });
    expect(measureSize(model)).toMatchObject({ parameters: 32 * 8 + 8, byType: { uint8: 128, float32: 32 } });
  });
});
