// Text recognition: error rate of characters on the dev lines, as bench/README.md describes.
import { join } from "node:path";
import { ctcText, readKeys } from "../lib/ctc.mjs";
import { levenshtein } from "../lib/levenshtein.mjs";
import { lineTensor, readLines } from "../lib/lines.mjs";
import { dataFolder, ocrAsset } from "../lib/places.mjs";
import { asCalibration, firstOutput, round, sampleCount, take } from "../lib/samples.mjs";

const WIDTH = 320;
const USUAL_SAMPLES = 32;

const feedOf = (line) => ({ x: lineTensor(line, WIDTH) });
const lines = (split) => readLines(join(dataFolder(), "ocr"), split);

export const calibration = asCalibration(async () =>
  take(await lines("calib"), sampleCount(USUAL_SAMPLES)).map(feedOf),
);

/** The input that latency is measured on. */
export const latencyFeed = async () => feedOf((await lines("dev")).at(-1));

export const evaluate = async (run) => {
  const keys = await readKeys(ocrAsset("ppocr_keys_v1.txt"));
  const rows = await lines("dev");
  let errors = 0;
  let characters = 0;
  let exact = 0;
  for (const line of rows) {
    const { data, dims } = firstOutput(await run(feedOf(line)));
    const text = ctcText(data, dims[1], dims[2], keys);
    errors += levenshtein(text, line.label);
    characters += [...line.label].length;
    if (text === line.label) exact++;
  }
  return {
    cer: { value: round(errors / characters, 5), better: "lower" },
    exact: { value: round(exact / rows.length, 4), better: "higher" },
  };
};
