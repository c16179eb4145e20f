import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { realModels } from "../../test/real-models.ts";
import { makeNode } from "../attrs.ts";
import type { EspalierError } from "../errors.ts";
import type { Model } from "../model.ts";
import { readData, type Tensor, tensor } from "../tensor.ts";
import { openModel } from "./open.ts";
import { readOnnx } from "./read.ts";
import { saveModel } from "./save.ts";
import { hasExternalData, writeOnnx } from "./write.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "espalier-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const linear = (out: number, inputs: number, weight: Tensor): Model => ({
  irVersion: 9,
  opsets: new Map([["", 17]]),
  graph: {
    name: "linear",
    nodes: [makeNode("MatMul", ["x", "w"], ["y"])],
    inputs: [{ name: "x", type: { kind: "tensor", type: "float32", shape: ["n", inputs] } }],
    outputs: [{ name: "y", type: { kind: "tensor", type: "float32", shape: ["n", out] } }],
    values: [],
    weights: new Map([["w", weight]]),
    sparseWeights: [],
  },
  functions: [],
  metadata: new Map(),
});

const ramp = (length: number) => Float32Array.from({ length }, (_, i) => (i % 251) - 125);
const small = () => linear(64, 32, tensor("float32", [32, 64], ramp(2048)));
const codeOf = async (work: Promise<unknown>) =>
  work.then(
    () => "no error",
    (error: EspalierError) => error.code,
  );

describe("external data", () => {
  it("is written beside the model in files of at most chunkBytes, named as transformers.js reads them", async () => {
    const weights = new Map(["a", "b", "c"].map((name) => [name, tensor("float32", [32, 64], ramp(2048))] as const));
    const model = { ...small(), graph: { ...small().graph, weights } };
    const saved = await saveModel(model, join(folder, "m.onnx"), { externalData: true, chunkBytes: 17_000 });
    expect(readdirSync(folder).sort()).toEqual(["m.onnx", "m.onnx_data", "m.onnx_data_1"]);
    expect(saved.bytes).toBe(saved.files.reduce((sum, file) => sum + statSync(file).size, 0));
    const again = await openModel(join(folder, "m.onnx"));
    expect(hasExternalData(again)).toBe(true);
    for (const t of again.graph.weights.values()) expect(await readData(t)).toEqual(ramp(2048));
  });

  it("comes back inside one file, equal to the model that never had it", async () => {
    const model = readOnnx(await writeOnnx(small()));
    await saveModel(model, join(folder, "m.onnx"), { externalData: true });
    const outside = await openModel(join(folder, "m.onnx"));
    expect(Buffer.compare(await writeOnnx(outside), await writeOnnx(small()))).toBe(0);
  });

  it("stays outside when saved again, and a copy of a real model loads the same weights", async () => {
    const model = await openModel(realModels.recogniser);
    const path = join(folder, "rec.onnx");
    await saveModel(model, path);
    expect(Buffer.compare(readFileSync(path), readFileSync(realModels.recogniser))).toBe(0);
    const outside = await saveModel(small(), join(folder, "a.onnx"), { externalData: true });
    const moved = await saveModel(await openModel(outside.path), join(folder, "b.onnx"));
    expect(moved.files.map((file) => file.slice(folder.length + 1))).toEqual(["b.onnx", "b.onnx_data"]);
  });

  it("is read from Blobs by location, and `data` says that it cannot wait", async () => {
    await saveModel(small(), join(folder, "m.onnx"), { externalData: true });
    const blob = (name: string) => new Blob([readFileSync(join(folder, name))]);
    const model = await openModel(blob("m.onnx"), { externalData: { "m.onnx_data": blob("m.onnx_data") } });
    const w = model.graph.weights.get("w")!;
    expect(() => w.data).toThrow(/await readData/);
    expect(await readData(w)).toEqual(ramp(2048));
    expect(await codeOf(openModel(blob("m.onnx")))).toBe("NOT_FOUND");
  });

  it("outside the model's folder is refused: parent paths, absolute paths, links", async () => {
    await saveModel(small(), join(folder, "m.onnx"), { externalData: true });
    const bytes = readFileSync(join(folder, "m.onnx"));
    const inner = join(folder, "inner");
    mkdirSync(inner);
    const at = bytes.indexOf("m.onnx_data");
    for (const location of ["../../m.dat", "/m.onnx_dat", "C:/onnx_dat", "a/../../abc"]) {
      bytes.write(location, at, "latin1");
      writeFileSync(join(inner, "m.onnx"), bytes);
      expect(await codeOf(openModel(join(inner, "m.onnx"))), location).toBe("BAD_PATH");
    }
    bytes.write("m.onnx_data", at, "latin1");
    writeFileSync(join(inner, "m.onnx"), bytes);
    expect(await codeOf(openModel(join(inner, "m.onnx")))).toBe("NOT_FOUND");
    symlinkSync(join(folder, "m.onnx_data"), join(inner, "m.onnx_data"));
    expect(await codeOf(openModel(join(inner, "m.onnx")))).toBe("BAD_PATH");
  });

  it("shorter than the model says is refused", async () => {
    await saveModel(small(), join(folder, "m.onnx"), { externalData: true });
    writeFileSync(join(folder, "m.onnx_data"), new Uint8Array(100));
    expect(await codeOf(openModel(join(folder, "m.onnx")))).toBe("BAD_TENSOR");
  });
});

describe("saveModel", () => {
  it("does not replace a file without force, and leaves no temporary file", async () => {
    const path = join(folder, "m.onnx");
    await saveModel(small(), path);
    expect(await codeOf(saveModel(small(), path))).toBe("EXISTS");
    await saveModel(small(), path, { force: true });
    const stopped = AbortSignal.abort();
    expect(await codeOf(saveModel(small(), join(folder, "n.onnx"), { signal: stopped }))).toBe("ABORTED");
    expect(readdirSync(folder)).toEqual(["m.onnx"]);
  });

  it("may replace the files that the model was read from", async () => {
    const path = join(folder, "m.onnx");
    await saveModel(small(), path, { externalData: true });
    const model = await openModel(path);
    await saveModel(model, path, { force: true });
    expect(await readData((await openModel(path)).graph.weights.get("w")!)).toEqual(ramp(2048));
    await expect(readData(model.graph.weights.get("w")!)).rejects.toThrow(/changed while it was in use/);
  });
});
