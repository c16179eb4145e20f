import type { Rng } from "../../numeric/rng.ts";
import type { Canvas } from "./strokes.ts";

/** Octaves below this many pixels are left out. */
const SMALLEST_CELL = 1;
/** How much the channels differ from one another. */
const OWN = 0.3;

/** Adds a grid of Gaussian values, `cell` pixels apart and linear in between, times `size`. */
const addOctave = (rng: Rng, plane: Float32Array, height: number, width: number, cell: number, size: number) => {
  const columns = Math.ceil(width / cell) + 1;
  const grid = Float32Array.from({ length: (Math.ceil(height / cell) + 1) * columns }, () => size * rng.normal());
  for (let y = 0; y < height; y++) {
    const row = Math.floor(y / cell);
    const v = y / cell - row;
    for (let x = 0; x < width; x++) {
      const column = Math.floor(x / cell);
      const u = x / cell - column;
      const at = row * columns + column;
      const above = grid[at] + u * (grid[at + 1] - grid[at]);
      const below = grid[at + columns] + u * (grid[at + columns + 1] - grid[at + columns]);
      plane[y * width + x] += above + v * (below - above);
    }
  }
};

/**
 * Adds a random field of deviation about `contrast`: octaves whose amplitude grows with their wavelength, the 1/f
 * spectrum of natural images. Source: doi:10.1364/JOSAA.4.002379.
 */
export const addSmoothField = (rng: Rng, { data, channels, height, width }: Canvas, contrast: number): void => {
  const area = height * width;
  const shared = new Float32Array(area);
  const largest = 2 ** Math.ceil(Math.log2(Math.max(height, width, 2)));
  for (let cell = SMALLEST_CELL; cell <= largest; cell *= 2)
    addOctave(rng, shared, height, width, cell, (contrast * cell) / largest);
  for (let channel = 0; channel < channels; channel++) {
    const plane = data.subarray(channel * area, (channel + 1) * area);
    for (let i = 0; i < area; i++) plane[i] += shared[i];
    if (channels > 1)
      for (let cell = 4; cell <= largest; cell *= 2)
        addOctave(rng, plane, height, width, cell, (OWN * contrast * cell) / largest);
  }
};
