// Text recognition: error rate of characters on the dev lines, as bench/README.md describes.
import { join } from "node:path";
import { readLines } from "../lib/lines.mjs";
import { dataFolder } from "../lib/places.mjs";
import { characterErrors, lineFeed } from "../lib/recognize.mjs";
import { asCalibration, sampleCount, take } from "../lib/samples.mjs";

const USUAL_SAMPLES = 32;

const lines = (split) => readLines(join(dataFolder(), "ocr"), split);

export const calibration = asCalibration(async () => take(await lines("calib"), sampleCount(USUAL_SAMPLES)), lineFeed);

/** The input that latency is measured on. */
export const latencyFeed = async () => lineFeed((await lines("dev")).at(-1));

export const evaluate = async (run) => characterErrors(await lines("dev"), run);
