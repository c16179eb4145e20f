import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CHANNELS, LINE_HEIGHT, readLines } from "./lines.mjs";

const BYTE_MAX = 255;
const { fround } = Math;

/** A page drawn as float32 [1, 3, height, width]: light grey with a ramp from left to right, and its lines. */
const draw = ({ base, shade, lines: placed }, { height, width, ramp, mean, std }, images) => {
  const data = new Float32Array(CHANNELS * height * width);
  const page = new Float32Array(height * width * CHANNELS);
  const step = (ramp[1] - ramp[0]) / (width - 1);
  for (let x = 0; x < width; x++) {
    const offset = x === width - 1 ? ramp[1] : ramp[0] + x * step;
    for (let y = 0; y < height; y++)
      page.fill(base + offset * shade, (y * width + x) * CHANNELS, (y * width + x + 1) * CHANNELS);
  }
  for (const { line, x, y } of placed) {
    const image = images.get(line);
    const used = Math.min(image.width, width - x);
    for (let row = 0; row < LINE_HEIGHT; row++) {
      const start = row * image.width * CHANNELS;
      page.set(image.pixels.subarray(start, start + used * CHANNELS), ((y + row) * width + x) * CHANNELS);
    }
  }
  for (let i = 0; i < height * width; i++)
    for (let c = 0; c < CHANNELS; c++) {
      const value = fround(Math.min(BYTE_MAX, Math.max(0, page[i * CHANNELS + c])) / BYTE_MAX);
      data[c * height * width + i] = fround(value - fround(mean[c])) / fround(std[c]);
    }
  return { type: "float32", dims: [1, CHANNELS, height, width], data };
};

/** Feeds of the text detector: the pages of `pages_SPLIT.json`, drawn from the lines of that split. */
export const pageFeeds = async (folder, split) => {
  const layout = JSON.parse(await readFile(join(folder, `pages_${split}.json`), "utf8"));
  const images = new Map((await readLines(folder, split)).map((line) => [line.file, line]));
  return layout.pages.map((page) => ({ x: draw(page, layout, images) }));
};
