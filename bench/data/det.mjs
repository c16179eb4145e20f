// Text detection: agreement with the float32 model's map on drawn pages; there is no other truth for them.
import { join } from "node:path";
import { pageFeeds } from "../lib/pages.mjs";
import { dataFolder } from "../lib/places.mjs";
import { floatReference } from "../lib/reference.mjs";
import { asCalibration, firstOutput, round, sampleCount, take } from "../lib/samples.mjs";

/** Where the detector's own post-processing cuts its map. */
const THRESHOLD = 0.3;
const USUAL_SAMPLES = 12;

const feedsOf = (split) => pageFeeds(join(dataFolder(), "ocr"), split);

export const calibration = asCalibration(async () => take(await feedsOf("calib"), sampleCount(USUAL_SAMPLES)));

/** The input that latency is measured on. */
export const latencyFeed = async () => (await feedsOf("dev")).at(-1);

export const evaluate = async (run) => {
  const feeds = await feedsOf("dev");
  const reference = await floatReference("det", feeds, (tensor) => tensor.data);
  let both = 0;
  let either = 0;
  let difference = 0;
  for (const [i, feed] of feeds.entries()) {
    const { data } = firstOutput(await run(feed));
    let pageDifference = 0;
    for (const [k, r] of reference[i].entries()) {
      const [a, b] = [data[k] > THRESHOLD, r > THRESHOLD];
      if (a && b) both++;
      if (a || b) either++;
      pageDifference += Math.abs(data[k] - r);
    }
    difference += pageDifference / data.length;
  }
  return {
    iou: { value: round(both / either, 5), better: "higher" },
    meanAbsDiff: { value: round(difference / feeds.length, 6), better: "lower" },
  };
};
