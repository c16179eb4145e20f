import ort from "onnxruntime-node";
import { expect, test } from "vitest";
import { calibration, evaluate } from "../../demo/ocr.data.mjs";
import { ocrAsset } from "../lib/places.mjs";

const CALIBRATION_LINES = 12;
/** Of the float model on the demo's 64 lines: 10 characters of 436. */
const FLOAT_ERROR_RATE = 0.02294;

test("the float recogniser reads the demo's lines with 2.294 % errors, 86 % of them without any", async () => {
  const session = await ort.InferenceSession.create(ocrAsset("ch_PP-OCRv4_rec_infer.onnx"));
  const { cer, exact } = await evaluate(({ x }) => session.run({ x: new ort.Tensor(x.type, x.data, x.dims) }));
  await session.release();
  expect(cer).toEqual({ value: FLOAT_ERROR_RATE, better: "lower" });
  expect(exact.value).toBeGreaterThan(0.85);
});

test("the demo's calibration lines can be read again and again", async () => {
  for (const _ of [1, 2]) {
    let count = 0;
    for await (const { x } of calibration()) count += Number(x.dims.join() === "1,3,48,320");
    expect(count).toBe(CALIBRATION_LINES);
  }
});
