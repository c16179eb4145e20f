// Direction of a text line: accuracy on the dev lines, each upright (class 0) and turned by 180 degrees (class 1).
import { join } from "node:path";
import { argmax } from "../lib/ctc.mjs";
import { lineTensor, readLines, upsideDown } from "../lib/lines.mjs";
import { dataFolder } from "../lib/places.mjs";
import { floatReference } from "../lib/reference.mjs";
import { asCalibration, firstOutput, round, sampleCount, take } from "../lib/samples.mjs";

const WIDTH = 192;
const USUAL_SAMPLES = 64;

const feedsOf = async (split) =>
  (await readLines(join(dataFolder(), "ocr"), split)).flatMap((line) =>
    [line, upsideDown(line)].map((image) => ({ x: lineTensor(image, WIDTH) })),
  );

export const calibration = asCalibration(async () => take(await feedsOf("calib"), sampleCount(USUAL_SAMPLES)));

/** The input that latency is measured on. */
export const latencyFeed = async () => (await feedsOf("dev")).at(-1);

export const evaluate = async (run) => {
  const feeds = await feedsOf("dev");
  const reference = await floatReference("cls", feeds, (tensor) => tensor.data);
  let right = 0;
  let difference = 0;
  for (const [i, feed] of feeds.entries()) {
    const { data } = firstOutput(await run(feed));
    if (argmax(data) === i % 2) right++;
    difference += data.reduce((sum, y, k) => sum + Math.abs(y - reference[i][k]), 0) / data.length;
  }
  return {
    accuracy: { value: round(right / feeds.length, 4), better: "higher" },
    meanAbsDiff: { value: round(difference / feeds.length, 5), better: "lower" },
  };
};
