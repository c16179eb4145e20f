// Handwritten digits by a small residual network: accuracy on the dev digits.
import { argmax } from "../lib/ctc.mjs";
import { PIXELS, readDigits } from "../lib/digits.mjs";
import { asCalibration, firstOutput, round, sampleCount } from "../lib/samples.mjs";

const SIDE = 28;
const BATCH = 64;
const USUAL_SAMPLES = 16;

const feedOf = (digits) => {
  const data = new Float32Array(digits.length * PIXELS);
  for (const [i, { pixels }] of digits.entries()) data.set(pixels, i * PIXELS);
  return { input: { type: "float32", dims: [digits.length, 1, SIDE, SIDE], data } };
};

const batches = (digits) =>
  Array.from({ length: Math.ceil(digits.length / BATCH) }, (_, i) => digits.slice(i * BATCH, (i + 1) * BATCH));

/** Feeds of 64 digits. */
export const calibration = asCalibration(
  async () => batches(await readDigits("calib")).slice(0, sampleCount(USUAL_SAMPLES)),
  feedOf,
);

/** The input that latency is measured on. */
export const latencyFeed = async () => feedOf((await readDigits("dev")).slice(0, BATCH));

export const evaluate = async (run) => {
  const digits = await readDigits("dev");
  let right = 0;
  for (const batch of batches(digits)) {
    const { data } = firstOutput(await run(feedOf(batch)));
    const classes = data.length / batch.length;
    for (const [i, { label }] of batch.entries())
      if (argmax(data.subarray(i * classes, (i + 1) * classes)) === label) right++;
  }
  return { accuracy: { value: round(right / digits.length, 5), better: "higher" } };
};
