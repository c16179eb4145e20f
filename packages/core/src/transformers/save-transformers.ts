import { EspalierError } from "../errors.ts";
import type { Model } from "../model.ts";
import { type SavedModel, type SaveOptions, saveModel } from "../onnx/save.ts";
import { type NodeFiles, nodeFiles } from "../onnx/source.ts";
import { baseOf, type TransformersDtype, transformersDtypes } from "./dtypes.ts";
import { modelFiles } from "./find-model-file.ts";

export interface SaveTransformersOptions extends SaveOptions {
  /** The folder that has the model's `config.json`, tokenizer and so on; `folder` itself where absent. */
  readonly from?: string;
  /** What transformers.js shall call the stored form. */
  readonly dtype: TransformersDtype;
  /** Which part of the network this is: "model", or "encoder_model", "decoder_model_merged" … */
  readonly file?: string;
}

type Json = Record<string, unknown>;

const WHERE = "core/transformers";
const CONFIG = "config.json";
/** What stands beside a model and is read with it: tokenizers, vocabularies, templates, how to generate, the licence. */
const BESIDE = /(\.(json|txt|jinja|model)$|^(LICEN[CS]E|NOTICE|README)(\.|$))/i;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const readConfig = (file: string, { fs }: NodeFiles): Json => {
  if (!fs.existsSync(file))
    throw new EspalierError("NOT_FOUND", WHERE, `there is no "${file}". Name the folder that the model came with.`);
  let json: unknown;
  try {
    json = JSON.parse(fs.readFileSync(file, "utf8"));
  } catch (cause) {
    throw new EspalierError("BAD_DATA", WHERE, `"${file}" is not JSON. Correct it.`, { cause });
  }
  if (!isObject(json)) throw new EspalierError("BAD_DATA", WHERE, `"${file}" holds no JSON object. Correct it.`);
  return json;
};

/** A setting that is one for all files, or one for each by its name; as the latter. */
const byFile = (setting: unknown, bases: readonly string[]): Json => {
  if (isObject(setting)) return setting;
  return setting === undefined ? {} : Object.fromEntries(bases.map((base) => [base, setting]));
};

/** `config.json` that makes transformers.js load this file where nobody says which. */
const configured = (
  config: Json,
  base: string,
  dtype: TransformersDtype,
  chunks: number,
  bases: readonly string[],
): Json => {
  const known = isObject(config["transformers.js_config"]) ? config["transformers.js_config"] : {};
  const external = { ...byFile(known.use_external_data_format, bases) };
  const name = `${base}${transformersDtypes[dtype]}.onnx`;
  delete external[name];
  if (chunks > 0) external[name] = chunks;
  // a number or flag for the base name would count for this file too
  else if (external[base]) external[name] = false;
  return {
    ...config,
    "transformers.js_config": {
      ...known,
      // its registry of files asks for an encoder by the name of the session, which is "model"
      dtype: { ...byFile(known.dtype, bases), [base]: dtype, ...(base === "encoder_model" && { model: dtype }) },
      ...(Object.keys(external).length > 0 && { use_external_data_format: external }),
    },
  };
};

const writeWhole = (file: string, text: string, { fs }: NodeFiles) => {
  const part = `${file}.${globalThis.crypto.randomUUID()}.tmp`;
  fs.writeFileSync(part, text);
  fs.renameSync(part, file);
};

/**
 * Writes a model so that transformers.js loads it by `from_pretrained(folder)`: `onnx/model_q4.onnx` with external data
 * in chunks, `config.json` that names its dtype and chunks, and the tokenizer and other small files of `from` that are
 * not there yet. Called again with another dtype or file for the same folder, it adds to it. Node only.
 *
 * @throws EspalierError `NOT_FOUND` or `BAD_DATA` for a `config.json` that is missing or damaged, `BAD_OPTION` for a
 *   dtype or name that is none, and those of `saveModel`; nothing is written then
 */
export const saveTransformers = async (
  model: Model,
  folder: string,
  { from = folder, dtype, file = "model", ...options }: SaveTransformersOptions,
): Promise<SavedModel> => {
  const node = await nodeFiles();
  const { fs, path } = node;
  if (!Object.hasOwn(transformersDtypes, dtype)) {
    const known = Object.keys(transformersDtypes).join(", ");
    throw new EspalierError("BAD_OPTION", WHERE, `dtype is "${dtype}". Give one of ${known}.`);
  }
  if (!/^[\w-]+$/.test(file) || baseOf(file) !== file)
    throw new EspalierError("BAD_OPTION", WHERE, `file is "${file}". Give a name without folder, dtype and ending.`);
  const target = path.join(folder, CONFIG);
  const config = readConfig(fs.existsSync(target) ? target : path.join(from, CONFIG), node);
  fs.mkdirSync(path.join(folder, "onnx"), { recursive: true });
  const saved = await saveModel(model, path.join(folder, "onnx", `${file}${transformersDtypes[dtype]}.onnx`), options);
  for (const { name } of fs.readdirSync(from, { withFileTypes: true }).filter((entry) => entry.isFile())) {
    const to = path.join(folder, name);
    if (name !== CONFIG && BESIDE.test(name) && !fs.existsSync(to)) fs.copyFileSync(path.join(from, name), to);
  }
  const bases = new Set([file, ...modelFiles(from, node).map((name) => baseOf(path.basename(name)))]);
  const after = configured(config, file, dtype, saved.files.length - 1, [...bases]);
  writeWhole(target, `${JSON.stringify(after, null, 2)}\n`, node);
  return saved;
};
