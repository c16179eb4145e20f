import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as node from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { realFeeds } from "../../test/real-feeds.ts";
import { realModels } from "../../test/real-models.ts";
import { makeNode } from "../attrs.ts";
import { openModel } from "../onnx/open.ts";
import { saveModel } from "../onnx/save.ts";
import { tensor } from "../tensor.ts";
import { expectClose, gaussian, tinyMlp, tinyModel } from "../testing/index.ts";
import { openSession } from "./session.ts";

web.env.wasm.numThreads = 1;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "espalier-session-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.each([
  ["onnxruntime-node", node],
  ["onnxruntime-web", web],
])("openSession in %s", (_, ort) => {
  it("fetches inner values, inputs and outputs by name, equal to what is computed by hand to 1e-6", async () => {
    const { model, samples } = tinyMlp();
    const session = await openSession(ort, model, { fetch: ["m", "r"], threads: 1 });
    expect(session.outputs).toEqual(["y", "m", "r"]);
    const { x, m, r } = await session.run(samples[0], ["x", "m", "r"]);
    await session.release();
    expect(x).toBe(samples[0].x);
    const w = model.graph.weights.get("w1")!;
    const b = model.graph.weights.get("b1")!.data as Float32Array;
    const byHand = new Float32Array(4 * 48);
    for (let row = 0; row < 4; row++)
      for (let column = 0; column < 48; column++)
        for (let k = 0; k < 24; k++)
          byHand[row * 48 + column] += Number(x.data[row * 24 + k]) * Number(w.data[k * 48 + column]);
    expectClose(m, tensor("float32", [4, 48], byHand), 1e-6);
    expectClose(
      r,
      tensor(
        "float32",
        [4, 48],
        byHand.map((v, i) => Math.max(0, v + b[i % 48])),
      ),
      1e-6,
    );
  });

  it("takes and gives half floats as bit patterns", async () => {
    const half = tinyModel({
      inputs: { x: ["float16", [3]] },
      outputs: { y: "float16" },
      nodes: [makeNode("Neg", ["x"], ["y"])],
    });
    const session = await openSession(ort, half);
    const { y } = await session.run({ x: tensor("float16", [3], Uint16Array.of(0x3c00, 0xc000, 0)) });
    await session.release();
    expect(y).toEqual({ type: "float16", dims: [3], data: Uint16Array.of(0xbc00, 0x4000, 0x8000) });
  });

  it("says which input the data lacks, and what onnxruntime has against a model", async () => {
    const { model } = tinyMlp();
    const session = await openSession(ort, model);
    await expect(session.run({ z: gaussian([1], 1) })).rejects.toMatchObject({ code: "BAD_DATA" });
    await expect(session.run({ x: gaussian([2, 2], 1) })).rejects.toMatchObject({ code: "RUNTIME" });
    await session.release();
    const broken = tinyModel({ inputs: {}, outputs: ["y"], nodes: [makeNode("NoSuchOperator", [], ["y"])] });
    await expect(openSession(ort, broken)).rejects.toMatchObject({ code: "RUNTIME" });
  });

  it("runs a real model with external data as it runs the model in one file", async () => {
    const model = await openModel(realModels.classifier);
    const { path } = await saveModel(model, join(folder, `${_}.onnx`), { externalData: true });
    const outputs = [];
    for (const each of [model, await openModel(path)]) {
      const session = await openSession(ort, each, { fetch: [], threads: 1 });
      outputs.push(await session.run(realFeeds.classifier));
      await session.release();
    }
    expect(outputs[0]).toEqual(outputs[1]);
  });
});

describe("openSession", () => {
  it("leaves nothing in the temporary folder, not even where the model is refused", async () => {
    const own = mkdtempSync(join(folder, "tmp-"));
    vi.stubEnv("TMPDIR", own);
    vi.stubEnv("TEMP", own);
    const model = await openModel(realModels.classifier);
    const { path } = await saveModel(model, join(folder, "external.onnx"), { externalData: true });
    const external = await openModel(path);
    const session = await openSession(node, external, { fetch: [external.graph.nodes[2].outputs[0]] });
    await session.release();
    await expect(openSession(node, external, { fetch: ["nowhere"] })).rejects.toMatchObject({ code: "RUNTIME" });
    vi.unstubAllEnvs();
    expect(readdirSync(own)).toEqual([]);
  });
});
