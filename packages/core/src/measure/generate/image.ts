import type { Rng } from "../../pass.ts";

/** [channels, height, width] in about [-1, 1]: leaves and strokes of all sizes over one another, with a smooth field. */
export const naturalImage = (rng: Rng, channels: number, height: number, width: number): Float32Array => {
  const image = new Float32Array(channels * height * width);
  const octaves = Math.ceil(Math.log2(Math.max(height, width, 2)));
  for (let channel = -1; channel < channels; channel++) {
    for (let octave = 0; octave <= octaves; octave++) {
      const cell = 2 ** octave;
      const [rows, columns] = [Math.ceil(height / cell) + 1, Math.ceil(width / cell) + 1];
      const grid = Float32Array.from({ length: rows * columns }, () => rng.normal());
      const size = cell / 2 ** octaves;
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) {
          const [r, c] = [Math.floor(y / cell), Math.floor(x / cell)];
          const [v, u] = [y / cell - r, x / cell - c];
          const at = r * columns + c;
          const value =
            (1 - v) * ((1 - u) * grid[at] + u * grid[at + 1]) +
            v * ((1 - u) * grid[at + columns] + u * grid[at + columns + 1]);
          const add = size * value;
          if (channel >= 0) image[(channel * height + y) * width + x] += add * 0.3;
          else for (let k = 0; k < channels; k++) image[(k * height + y) * width + x] += add;
        }
    }
  }
  let sum = 0;
  let squares = 0;
  for (const value of image) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / image.length;
  const deviation = Math.sqrt(Math.max(squares / image.length - mean * mean, 1e-12));
  return image.map((value) => Math.max(-1, Math.min(1, (0.5 * (value - mean)) / deviation)));
};
