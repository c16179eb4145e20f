import { saveModel } from "@espalier/core";
import { tinyMlp } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { realModels } from "./real-models.ts";
import { runMain } from "./run-main.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const folder = temporaryFolder();
const inspect = async (file: string) => {
  const { code, stdout, stderr } = await runMain(folder.at(), ["inspect", file, "--json"]);
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout);
};

describe("inspect", () => {
  it("finds weights in Constant nodes, with schemes, their bytes and every runtime's speed", async () => {
    const { bytes, opset, inputs, outputs, layers, byType } = await inspect(realModels.classifier);
    expect([bytes, opset]).toEqual([578_966, 9]);
    expect(inputs).toEqual([
      { name: "x", type: "float32", shape: [expect.anything(), 3, expect.anything(), expect.anything()] },
    ]);
    expect(outputs.map(({ name }: { name: string }) => name)).toEqual(["softmax_0.tmp_0"]);
    expect(layers).toHaveLength(54);
    const sum = layers.reduce((total: number, layer: { bytes: number }) => total + layer.bytes, 0);
    expect(sum).toBeGreaterThan(0.9 * byType.float32);
    const { name, kind, op, dims, dtype, schemes } = layers[0];
    expect({ name, kind, op, dims, dtype }).toEqual({
      name: expect.any(String),
      kind: "conv",
      op: "Conv",
      dims: [8, 3, 3, 3],
      dtype: "float32",
    });
    for (const scheme of schemes) {
      expect(Object.keys(scheme)).toEqual(["name", "bytes", "node", "web", "webgpu"]);
      for (const runtime of ["node", "web", "webgpu"])
        expect(["fast", "same", "slow", "unsupported"]).toContain(scheme[runtime]);
    }
    const sizes = schemes.map((scheme: { bytes: number }) => scheme.bytes);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
  });

  it("finds convolutions and LSTM inside the If of a voice detector", async () => {
    const { layers } = await inspect(realModels.voiceActivity);
    const kinds = new Set(layers.map(({ kind }: { kind: string }) => kind));
    expect([...kinds].sort()).toEqual(["conv", "recurrent"]);
  });

  it("reads external data's size without its bytes, and models that are quantized already", async () => {
    await saveModel(tinyMlp().model, folder.at("big.onnx"), { externalData: true });
    const big = await inspect("big.onnx");
    expect(big.layers.map(({ bytes }: { bytes: number }) => bytes)).toEqual([24 * 48 * 4, 48 * 10 * 4]);
    await runMain(folder.at(), [
      "compress",
      "big.onnx",
      "-o",
      "small.onnx",
      "--recipe",
      "int8-weights",
      "--no-measure",
    ]);
    const small = await inspect("small.onnx");
    expect(small.byType.int8).toBe(24 * 48 + 48 * 10);
    expect(small.bytes).toBeLessThan(big.bytes / 2);
  });

  it("prints a page that fits the terminal", async () => {
    for (const columns of [80, 120]) {
      const { stdout } = await runMain(folder.at(), ["inspect", realModels.voiceActivity], {
        columns,
        env: { NO_COLOR: "1" },
      });
      expect(stdout).toMatch(/where the bytes are\n {2}type +operator.*\n {2}float32 +2\.181 MB +93\.7 %/);
      const tables = stdout.split("\n").filter((line) => line.startsWith("  "));
      for (const line of tables) expect(line.length, line).toBeLessThanOrEqual(columns);
    }
  });
});
