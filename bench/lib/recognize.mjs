import { ctcText, readKeys } from "./ctc.mjs";
import { levenshtein } from "./levenshtein.mjs";
import { lineTensor } from "./lines.mjs";
import { ocrAsset } from "./places.mjs";
import { firstOutput, round } from "./samples.mjs";

const WIDTH = 320;

/** The recogniser's input for a line, padded or squeezed to 320. */
export const lineFeed = (line) => ({ x: lineTensor(line, WIDTH) });

/** Edit distance over characters, and the share of lines read without an error, of a recogniser on labelled lines. */
export const characterErrors = async (lines, run) => {
  const keys = await readKeys(ocrAsset("ppocr_keys_v1.txt"));
  let errors = 0;
  let characters = 0;
  let exact = 0;
  for (const line of lines) {
    const { data, dims } = firstOutput(await run(lineFeed(line)));
    const text = ctcText(data, dims[1], dims[2], keys);
    errors += levenshtein(text, line.label);
    characters += [...line.label].length;
    if (text === line.label) exact++;
  }
  return {
    cer: { value: round(errors / characters, 5), better: "lower" },
    exact: { value: round(exact / lines.length, 4), better: "higher" },
  };
};
