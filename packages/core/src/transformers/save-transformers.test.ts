import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openModel } from "../onnx/open.ts";
import { saveModel } from "../onnx/save.ts";
import { tinyMlp } from "../testing/tiny-models.ts";
import { findModelFile } from "./find-model-file.ts";
import { saveTransformers } from "./save-transformers.ts";

let root: string;
const at = (...parts: string[]) => join(root, ...parts);
const { model } = tinyMlp();

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "espalier-transformers-"));
  mkdirSync(at("from"));
  writeFileSync(at("from", "config.json"), JSON.stringify({ model_type: "llama", hidden_size: 8 }));
  for (const name of ["tokenizer.json", "merges.txt", "LICENSE", "weights.gguf", "model.safetensors"])
    writeFileSync(at("from", name), name);
});
afterEach(() => rmSync(root, { recursive: true }));

const config = (folder = "to") => JSON.parse(readFileSync(at(folder, "config.json"), "utf8"));
const save = (options: Partial<Parameters<typeof saveTransformers>[2]> = {}) =>
  saveTransformers(model, at("to"), { from: at("from"), dtype: "q4", ...options });
const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: { code?: string }) => error.code,
  );

describe("saveTransformers", () => {
  it("writes the model under the name of its dtype, the small files beside it, and a config that says so", async () => {
    const saved = await save();
    expect(saved.files).toEqual([at("to", "onnx", "model_q4.onnx")]);
    expect(readdirSync(at("to")).sort()).toEqual("LICENSE config.json merges.txt onnx tokenizer.json".split(" "));
    const expected = { dtype: { model: "q4" } };
    expect(config()).toEqual({ model_type: "llama", hidden_size: 8, "transformers.js_config": expected });
    await openModel(saved.path);
  });

  it("counts chunks of external data in the config, and their names are those that transformers.js asks for", async () => {
    const saved = await save({ externalData: true, chunkBytes: 2048 });
    const chunks = saved.files.length - 1;
    expect(chunks).toBeGreaterThan(1);
    for (let i = 0; i < chunks; i++)
      expect(existsSync(at("to", "onnx", `model_q4.onnx_data${i === 0 ? "" : `_${i}`}`))).toBe(true);
    expect(config()["transformers.js_config"].use_external_data_format).toEqual({ "model_q4.onnx": chunks });
  });

  it("adds another dtype and another file to a folder, and keeps what was said of the others", async () => {
    await save({ externalData: true });
    await save({ dtype: "q8" });
    await save({ file: "encoder_model", dtype: "fp16" });
    expect(readdirSync(at("to", "onnx")).filter((name) => name.endsWith(".onnx"))).toEqual([
      "encoder_model_fp16.onnx",
      "model_q4.onnx",
      "model_quantized.onnx",
    ]);
    expect(config()["transformers.js_config"]).toEqual({
      dtype: { model: "fp16", encoder_model: "fp16" },
      use_external_data_format: { "model_q4.onnx": 1 },
    });
  });

  it("keeps a setting for all files for those others, and takes external data off a file that has none", async () => {
    mkdirSync(at("from", "onnx"));
    for (const name of ["decoder_model_merged.onnx", "encoder_model.onnx"])
      await saveModel(model, at("from", "onnx", name));
    const known = { dtype: "fp32", use_external_data_format: true, kv_cache_dtype: { q4: "float32" } };
    writeFileSync(at("from", "config.json"), JSON.stringify({ "transformers.js_config": known }));
    await save({ file: "decoder_model_merged" });
    expect(config()["transformers.js_config"]).toEqual({
      kv_cache_dtype: { q4: "float32" },
      dtype: { encoder_model: "fp32", decoder_model_merged: "q4" },
      use_external_data_format: {
        encoder_model: true,
        decoder_model_merged: true,
        "decoder_model_merged_q4.onnx": false,
      },
    });
  });

  it("writes into the folder that it read, and never over a model of the same dtype unless told to", async () => {
    await saveTransformers(model, at("from"), { dtype: "q8" });
    expect(config("from").hidden_size).toBe(8);
    expect(await errorOf(saveTransformers(model, at("from"), { dtype: "q8" }))).toBe("EXISTS");
    expect(await errorOf(saveTransformers(model, at("from"), { dtype: "q8", force: true }))).toBeUndefined();
  });

  it.each([
    ["a config that is not there", "NOT_FOUND", () => rmSync(at("from", "config.json")), {}],
    ["a config that is no JSON", "BAD_DATA", () => writeFileSync(at("from", "config.json"), "{"), {}],
    ["a config that is a list", "BAD_DATA", () => writeFileSync(at("from", "config.json"), "[]"), {}],
    ["a dtype that is none", "BAD_OPTION", () => undefined, { dtype: "int4" as "q4" }],
    ["a name that leads out of the folder", "BAD_OPTION", () => undefined, { file: "../model" }],
    ["a name with a dtype", "BAD_OPTION", () => undefined, { file: "model_q4" }],
  ])("refuses %s, and writes nothing", async (_, code, damage, options) => {
    damage();
    expect(await errorOf(save(options))).toBe(code);
    expect(existsSync(at("to"))).toBe(false);
  });
});

describe("findModelFile", () => {
  it("finds the float32 model in onnx/ or beside the config, and asks for a name among several", async () => {
    expect(await errorOf(findModelFile(at("from")))).toBe("NOT_FOUND");
    await saveModel(model, at("from", "model_q4.onnx"));
    expect(await errorOf(findModelFile(at("from")))).toBe("NOT_FOUND");
    await saveModel(model, at("from", "model.onnx"));
    expect(await findModelFile(at("from"))).toBe(at("from", "model.onnx"));
    mkdirSync(at("from", "onnx"));
    await saveModel(model, at("from", "onnx", "model.onnx"));
    expect(await findModelFile(at("from"))).toBe(at("from", "onnx", "model.onnx"));
    await saveModel(model, at("from", "onnx", "encoder_model.onnx"));
    expect(await errorOf(findModelFile(at("from")))).toBe("BAD_OPTION");
    expect(await findModelFile(at("from"), "encoder_model")).toBe(at("from", "onnx", "encoder_model.onnx"));
    expect(await errorOf(findModelFile(at("from"), "decoder"))).toBe("NOT_FOUND");
  });
});
