import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { squeezeWidth } from "./resize.mjs";

export const LINE_HEIGHT = 48;
export const CHANNELS = 3;
const BYTE_MAX = 255;

/** The lines of one split of `folder/lines.{json,bin}`: `{ file, label, width, pixels }`, pixels [48, width, 3]. */
export const readLines = async (folder, split) => {
  const { lines } = JSON.parse(await readFile(join(folder, "lines.json"), "utf8"));
  const pixels = await readFile(join(folder, "lines.bin"));
  return lines
    .filter((line) => line.split === split)
    .map(({ file, label, width, offset }) => ({
      file,
      label,
      width,
      pixels: new Uint8Array(pixels.subarray(offset, offset + LINE_HEIGHT * width * CHANNELS)),
    }));
};

/** The image turned by 180 degrees. */
export const upsideDown = ({ width, pixels, ...rest }) => {
  const turned = new Uint8Array(pixels.length);
  const count = pixels.length / CHANNELS;
  for (let i = 0; i < count; i++)
    for (let c = 0; c < CHANNELS; c++) turned[(count - 1 - i) * CHANNELS + c] = pixels[i * CHANNELS + c];
  return { ...rest, width, pixels: turned };
};

/**
 * A line as float32 [1, 3, 48, width]: `(v / 255 - 0.5) / 0.5`, zeros (mid grey) to its right; a wider line is
 * squeezed.
 */
export const lineTensor = (line, width) => {
  const pixels = line.width > width ? squeezeWidth(line.pixels, LINE_HEIGHT, line.width, width) : line.pixels;
  const used = Math.min(line.width, width);
  const data = new Float32Array(CHANNELS * LINE_HEIGHT * width);
  for (let y = 0; y < LINE_HEIGHT; y++)
    for (let x = 0; x < used; x++)
      for (let c = 0; c < CHANNELS; c++) {
        const value = Math.fround(pixels[(y * used + x) * CHANNELS + c] / BYTE_MAX);
        data[(c * LINE_HEIGHT + y) * width + x] = Math.fround(value - 0.5) / 0.5;
      }
  return { type: "float32", dims: [1, CHANNELS, LINE_HEIGHT, width], data };
};
