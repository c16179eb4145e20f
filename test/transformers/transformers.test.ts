import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Model,
  openModel,
  openSession,
  runPass,
  saveModel,
  saveTransformers,
  tensor,
  type Tensor as Value,
} from "@espalier/core";
import { dynamicInt8, float16, rtn } from "@espalier/quant";
import { AutoModelForCausalLM, env, Tensor } from "@huggingface/transformers";
import * as ort from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decoderConfig, tinyDecoder } from "./tiny-decoder.ts";

const NEW_TOKENS = 12;
const PROMPT = [5n, 17n, 42n, 8n];

let root: string;
const at = (...parts: string[]) => join(root, ...parts);

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "espalier-transformers-"));
  env.allowRemoteModels = false;
  env.localModelPath = root;
  mkdirSync(at("float", "onnx"), { recursive: true });
  writeFileSync(at("float", "config.json"), JSON.stringify(decoderConfig));
  await saveModel(tinyDecoder(), at("float", "onnx", "model.onnx"), { externalData: false });
});
afterAll(() => rmSync(root, { recursive: true }));

/** Token ids that transformers.js generates greedily from a folder, of the dtype that its config names. */
const generate = async (folder: string): Promise<bigint[]> => {
  const model = await AutoModelForCausalLM.from_pretrained(folder, { device: "cpu" });
  const prompt = { dims: [1, PROMPT.length] };
  const result = await model.generate({
    inputs: new Tensor("int64", BigInt64Array.from(PROMPT), prompt.dims),
    attention_mask: new Tensor(
      "int64",
      BigInt64Array.from(PROMPT, () => 1n),
      prompt.dims,
    ),
    max_new_tokens: NEW_TOKENS,
    do_sample: false,
  } as Parameters<typeof model.generate>[0]);
  await model.dispose();
  return [...(result as unknown as { data: BigInt64Array }).data];
};

const ids = (values: readonly bigint[]) => tensor("int64", [1, values.length], BigInt64Array.from(values));

/** The same by onnxruntime alone, token by token. */
const greedy = async (model: Model): Promise<bigint[]> => {
  const session = await openSession(ort, model);
  const all = [...PROMPT];
  const width = decoderConfig.hidden_size;
  const empty = tensor("float32", [1, 1, 0, width], new Float32Array(0));
  let cache: Record<string, Value> = { key: empty, value: empty };
  for (let step = 0; step < NEW_TOKENS; step++) {
    const past = cache.key!.dims[2]!;
    const fresh = all.slice(past);
    const found = await session.run({
      input_ids: ids(fresh),
      attention_mask: ids(all.map(() => 1n)),
      position_ids: ids(fresh.map((_, i) => BigInt(past + i))),
      "past_key_values.0.key": cache.key!,
      "past_key_values.0.value": cache.value!,
    });
    cache = { key: found["present.0.key"]!, value: found["present.0.value"]! };
    const logits = (found.logits!.data as Float32Array).subarray(-decoderConfig.vocab_size);
    all.push(BigInt(logits.indexOf(Math.max(...logits))));
  }
  await session.release();
  return all;
};

describe("transformers.js", () => {
  it.each([
    ["q4", "MatMulNBits", rtn({ bits: 4, form: "MatMulNBits", blockSize: 16, symmetric: false, float16Below: 0 })],
    ["q8", "dynamic int8", dynamicInt8()],
    ["fp16", "float16", float16()],
  ] as const)(
    "loads what was written as %s (%s, external data in chunks) by the config alone, and generates what onnxruntime does",
    async (dtype, _, pass) => {
      const small = await runPass(await openModel(at("float", "onnx", "model.onnx")), pass);
      const options = { from: at("float"), dtype, externalData: true, chunkBytes: 4096 };
      const { files, path } = await saveTransformers(small, at(dtype), options);
      expect(files.length).toBeGreaterThan(2);
      expect(readdirSync(at(dtype, "onnx"))).toHaveLength(files.length);
      const generated = await generate(dtype);
      expect(new Set(generated).size).toBeGreaterThan(6);
      expect(generated).toEqual(await greedy(await openModel(path)));
    },
  );
});
