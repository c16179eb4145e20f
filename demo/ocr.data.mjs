// The demo's data: rendered lines of text, of which 12 calibrate and the others tell the error rate of characters.
import { fileURLToPath } from "node:url";
import { readLines } from "../bench/lib/lines.mjs";
import { characterErrors, lineFeed } from "../bench/lib/recognize.mjs";

const folder = fileURLToPath(new URL(".", import.meta.url));

export async function* calibration() {
  for (const line of await readLines(folder, "calib")) yield lineFeed(line);
}

export const evaluate = async (run) => characterErrors(await readLines(folder, "dev"), run);
