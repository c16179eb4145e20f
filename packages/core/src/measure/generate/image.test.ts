import { describe, expect, it } from "vitest";
import { createRng } from "../../numeric/rng.ts";
import { madeUpImage } from "./image.ts";

/** Power at each frequency of the rows of a plane, by the sums that define it. */
const powers = (plane: Float32Array, height: number, width: number): number[] =>
  Array.from({ length: width / 2 }, (_, frequency) => {
    let power = 0;
    for (let y = 0; y < height; y++) {
      let [re, im] = [0, 0];
      for (let x = 0; x < width; x++) {
        re += plane[y * width + x] * Math.cos((2 * Math.PI * frequency * x) / width);
        im += plane[y * width + x] * Math.sin((2 * Math.PI * frequency * x) / width);
      }
      power += re * re + im * im;
    }
    return power;
  });

/** Slope of the line through points, least squares. */
const slope = (points: readonly (readonly [number, number])[]) => {
  const mean = (k: 0 | 1) => points.reduce((sum, point) => sum + point[k], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const product = points.reduce((sum, p) => sum + (p[0] - x) * (p[1] - y), 0);
  return product / points.reduce((sum, p) => sum + (p[0] - x) ** 2, 0);
};

describe("madeUpImage", () => {
  it.each([
    ["a page", 3, 96, 128],
    ["a line", 3, 32, 160],
    ["a glyph", 1, 28, 28],
    ["a pixel", 3, 1, 1],
  ])("draws %s in [-1, 1], the same for the same seed", (_, channels, height, width) => {
    const draw = (seed: number) => madeUpImage(createRng(seed), channels, height, width);
    const image = draw(1);
    expect(image.length).toBe(channels * height * width);
    expect(image.every((value) => value >= -1 && value <= 1)).toBe(true);
    expect(draw(1)).toEqual(image);
    expect(draw(2)).not.toEqual(image);
  });

  it("is no noise: amplitude falls with frequency f as f^-0.4 to f^-1.2, where natural images have about f^-1", () => {
    const size = 128;
    const sums = new Array<number>(size / 2).fill(0);
    for (let seed = 0; seed < 12; seed++)
      powers(madeUpImage(createRng(seed), 1, size, size), size, size).forEach((power, f) => {
        sums[f] += power;
      });
    const points = sums.flatMap((power, f) =>
      f >= 2 && f <= size / 4 ? [[Math.log(f), Math.log(power) / 2] as const] : [],
    );
    expect(slope(points)).toBeLessThan(-0.4);
    expect(slope(points)).toBeGreaterThan(-1.2);
  });

  it("has edges: some neighbours differ by more than a quarter of the range, most by less than a 50th", () => {
    const image = madeUpImage(createRng(3), 1, 96, 96);
    const steps = Array.from(image.subarray(1), (value, i) => Math.abs(value - image[i]));
    expect(steps.filter((step) => step > 0.5).length).toBeGreaterThan(0.01 * steps.length);
    expect(steps.filter((step) => step < 0.04).length).toBeGreaterThan(0.6 * steps.length);
  });
});
