import { writeFileSync } from "node:fs";
import { saveModel } from "@espalier/core";
import { tinyConv, tinyMlp } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { runMain } from "./run-main.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const folder = temporaryFolder();
const run = (...args: string[]) => runMain(folder.at(), args);
const prepare = async () => {
  await saveModel(tinyMlp().model, folder.at("a.onnx"));
  await run("compress", "a.onnx", "-o", "b.onnx", "--recipe", "int8-weights", "--no-measure");
};

describe("compare", () => {
  it("gives one JSON document: sizes, fidelity of outputs and inner values, latency", async () => {
    await prepare();
    const { code, stdout } = await run("compare", "a.onnx", "b.onnx", "--json");
    expect(code).toBe(0);
    const { a, b, fidelity, layers, latency, data, metrics } = JSON.parse(stdout);
    expect([data, metrics]).toEqual(["generated", undefined]);
    expect(b.bytes).toBeLessThan(a.bytes);
    expect(a.brotli).toBeLessThanOrEqual(a.bytes);
    const names = ["relativeL2", "sqnrDb", "cosine", "maxAbs", "argmaxAgreement", "kl"];
    expect(Object.keys(fidelity.y)).toEqual(expect.arrayContaining(names));
    expect(fidelity.y.relativeL2).toBeGreaterThan(0);
    expect(fidelity.y.relativeL2).toBeLessThan(0.02);
    expect(layers.map(({ value }: { value: string }) => value)).toEqual(expect.arrayContaining(["m", "r"]));
    expect(latency.ratio).toBeCloseTo(latency.b.median / latency.a.median, 6);
  });

  it("of a model with itself is exact, and says that inputs were made up", async () => {
    await prepare();
    const { stdout } = await run("compare", "a.onnx", "a.onnx");
    expect(stdout).toMatch(/fidelity of B to A, on made-up inputs/);
    expect(stdout).toMatch(/y +0 +∞ dB +1 +0 +100 %/);
    expect(stdout).toMatch(/All \d+ inner values that both have are equal/);
  });

  it("measures on the user's data and by the user's metrics", async () => {
    await prepare();
    writeFileSync(
      folder.at("data.mjs"),
      `const feeds = { x: { type: "float32", dims: [2, 24], data: new Float32Array(48).fill(0.5) } };
       export const calibration = () => [feeds];
       export const evaluate = async (run) => ({ first: { value: (await run(feeds)).y.data[0], better: "higher" } });`,
    );
    const { stdout } = await run("compare", "a.onnx", "b.onnx", "--data", "data.mjs", "--json");
    const { data, metrics } = JSON.parse(stdout);
    expect(data).toBe("given");
    expect(metrics.a.first.value).not.toBe(metrics.b.first.value);
    expect(metrics.a.first.value).toBeCloseTo(metrics.b.first.value, 1);
  });

  it("of models with other outputs or inputs is refused: exit code 3", async () => {
    await prepare();
    await saveModel(tinyConv().model, folder.at("c.onnx"));
    const { code, stderr } = await run("compare", "a.onnx", "c.onnx");
    expect(code).toBe(3);
    expect(stderr).toMatch(/espalier: (RUNTIME|BAD_MODEL|BAD_DATA|BAD_TENSOR) /);
  });
});
