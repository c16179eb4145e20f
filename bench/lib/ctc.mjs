import { readFile } from "node:fs/promises";

/** The alphabet of a CTC head: index 0 is the blank, then the lines of the file, then the space. */
export const readKeys = async (path) => ["", ...(await readFile(path, "utf8")).split("\n"), " "];

/** Index of the greatest element of `data[start .. start + length)`, counted from `start`; the first of equals. */
export const argmax = (data, start = 0, length = data.length) => {
  let best = 0;
  for (let i = 1; i < length; i++) if (data[start + i] > data[start + best]) best = i;
  return best;
};

/**
 * The text that a CTC output spells: argmax of each step, repeats dropped, blanks dropped, outer spaces cut.
 *
 * @param data [steps, classes]
 */
export const ctcText = (data, steps, classes, keys) => {
  let text = "";
  let last = -1;
  for (let step = 0; step < steps; step++) {
    const key = argmax(data, step * classes, classes);
    if (key !== 0 && key !== last) text += keys[key];
    last = key;
  }
  return text.trim();
};
