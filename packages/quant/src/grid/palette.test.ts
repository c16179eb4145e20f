import { createRng } from "@espalier/core";
import { describe, expect, it } from "vitest";
import { kMeans } from "./k-means.ts";
import { lineCentres } from "./line-clusters.ts";
import { depalettize, paletteBytes, paletteRows } from "./palette.ts";
import { blockGram, productPalette } from "./product-palette.ts";

const normals = (length: number, label: string): Float32Array => {
  const rng = createRng(5).fork(label);
  return Float32Array.from({ length }, () => rng.normal());
};

const lineError = (w: Float32Array, centres: Float64Array): number =>
  w.reduce((sum, x) => sum + Math.min(...[...centres].map((centre) => (x - centre) ** 2)), 0);

/** The least error of k stretches of sorted values, by trying all cuts. */
const bruteForce = (sorted: number[], k: number): number => {
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const error = (values: number[]) => values.reduce((sum, x) => sum + (x - mean(values)) ** 2, 0);
  if (k === 1) return error(sorted);
  let least = Number.POSITIVE_INFINITY;
  for (let first = 1; first <= sorted.length - k + 1; first++)
    least = Math.min(least, error(sorted.slice(0, first)) + bruteForce(sorted.slice(first), k - 1));
  return least;
};

describe("lineCentres", () => {
  it("exact: reaches the least error of all cuts (brute force)", () => {
    for (let seed = 0; seed < 10; seed++)
      for (const k of [2, 3, 4]) {
        const w = normals(12, `exact${seed}`);
        const centres = lineCentres(w, k, { rng: createRng(seed), clustering: "exact" });
        expect(lineError(w, centres)).toBeCloseTo(
          bruteForce(
            [...w].sort((a, b) => a - b),
            k,
          ),
          6,
        );
      }
  });
  it("lloyd: errs by no less than exact, and by at most 1.25 times as much, on 2,000 values of a Gaussian", () => {
    const w = normals(2000, "lloyd");
    for (const k of [4, 16]) {
      const [lloyd, exact] = (["lloyd", "exact"] as const).map((clustering) =>
        lineError(w, lineCentres(w, k, { rng: createRng(1), clustering })),
      );
      expect(lloyd!).toBeGreaterThanOrEqual(exact! * (1 - 1e-9));
      expect(lloyd!).toBeLessThan(1.25 * exact!);
    }
  });
  it("keeps every value where no more than k differ, with an error of 0", () => {
    const w = Float32Array.of(3, -1, 3, 0.5, -1, 0);
    expect([...lineCentres(w, 4, { rng: createRng(1) })]).toEqual([-1, 0, 0.5, 3]);
    expect([...lineCentres(new Float32Array(5), 4, { rng: createRng(1) })]).toEqual([0]);
  });
  it("gives the same centres for the same seed", () => {
    const w = normals(500, "seed");
    expect(lineCentres(w, 8, { rng: createRng(9) })).toEqual(lineCentres(w, 8, { rng: createRng(9) }));
  });
});

describe("kMeans", () => {
  it("Q-14: its error never grows from step to step, and every point is at its nearest centre", () => {
    const points = Float64Array.from(normals(1200, "points"));
    const { centres, codes, errors } = kMeans(points, 3, 16, { rng: createRng(2) });
    errors.slice(1).forEach((error, i) => {
      expect(error).toBeLessThanOrEqual(errors[i]! * (1 + 1e-12));
    });
    codes.forEach((code, i) => {
      const distances = Array.from({ length: 16 }, (_, c) =>
        [0, 1, 2].reduce((sum, axis) => sum + (points[3 * i + axis]! - centres[3 * c + axis]!) ** 2, 0),
      );
      expect(distances[code]).toBe(Math.min(...distances));
    });
  });
  it("finds clusters that are far apart, and no more than there are points that differ", () => {
    const points = Float64Array.from({ length: 400 }, (_, i) => 100 * (i % 4) + (i % 7) / 10);
    const { errors } = kMeans(points, 1, 4, { rng: createRng(3) });
    expect(errors.at(-1)!).toBeLessThan(400 * 0.1);
    expect(kMeans(new Float64Array(40).fill(2), 2, 8, { rng: createRng(1) }).centres).toEqual(Float64Array.of(2, 2));
  });
});

describe("paletteRows", () => {
  it("errs less than uniform steps of the same bits on heavy tails, and less with a codebook for each group of rows", () => {
    const w = normals(64 * 64, "tails").map((x, i) => x ** 3 * (1 + (i >> 10)));
    const options = { bits: 3, half: false, rng: createRng(1), clustering: "exact" } as const;
    const errorOf = (groupSize: number) => {
      const back = depalettize(paletteRows(w, 64, 64, { ...options, groupSize }));
      return w.reduce((sum, x, i) => sum + (x - back[i]!) ** 2, 0);
    };
    const most = Math.max(...w.map(Math.abs));
    const uniform = w.reduce((sum, x) => sum + (x - Math.round((x / most) * 3.5) * (most / 3.5)) ** 2, 0);
    expect(errorOf(64)).toBeLessThan(uniform / 3);
    expect(errorOf(16)).toBeLessThan(errorOf(64));
  });
  it("takes n bits / 8 and the codebooks", () => {
    const palette = paletteRows(normals(4096, "bytes"), 64, 64, {
      bits: 3,
      groupSize: 16,
      half: true,
      rng: createRng(1),
    });
    expect(paletteBytes(palette, 2)).toBe((4096 * 3) / 8 + 4 * 8 * 2);
  });
});

/** Inputs of `columns` columns that lie near a line in each block: correlated, some large. */
const inputs = (n: number, columns: number): Float64Array => {
  const [own, common] = [normals(n * columns, "own"), normals(n, "common")];
  return Float64Array.from(own, (x, i) => 0.3 * x * (i % 4 === 0 ? 8 : 1) + 2 * common[Math.floor(i / columns)]!);
};

describe("productPalette", () => {
  const [rows, columns, width, n] = [48, 64, 4, 512];
  const w = normals(rows * columns, "product");
  const x = inputs(n, columns);
  const gram = { rows: columns, columns, data: new Float64Array(columns * columns) };
  for (let sample = 0; sample < n; sample++)
    for (let i = 0; i < columns; i++)
      for (let j = 0; j < columns; j++)
        gram.data[i * columns + j]! += x[sample * columns + i]! * x[sample * columns + j]!;
  /** Σ |x (v - v̂)|² over blocks, what the method minimizes. */
  const objective = (back: Float32Array) => {
    const { data } = blockGram(gram, width);
    let sum = 0;
    for (let at = 0; at < w.length; at += width)
      for (let i = 0; i < width; i++)
        for (let j = 0; j < width; j++)
          sum += (w[at + i]! - back[at + i]!) * data[i * width + j]! * (w[at + j]! - back[at + j]!);
    return sum;
  };
  const options = { width, bits: 5, half: false };

  it("Q-14: errs less in the output with the activations than plain k-means on the weights", () => {
    const [plain, weighted] = [undefined, blockGram(gram, width)].map((own) =>
      objective(depalettize(productPalette(w, rows, columns, { ...options, gram: own, rng: createRng(1) }))),
    );
    expect(weighted!).toBeLessThan(0.6 * plain!);
  });
  it("Q-14: the objective is the k-means error in the activations' coordinates, and never grows", () => {
    const made = productPalette(w, rows, columns, { ...options, gram: blockGram(gram, width), rng: createRng(1) });
    made.errors.slice(1).forEach((error, i) => {
      expect(error).toBeLessThanOrEqual(made.errors[i]! * (1 + 1e-9));
    });
    expect(objective(depalettize(made)) / made.errors.at(-1)!).toBeCloseTo(1, 2);
  });
  it("Q-14: with uncorrelated inputs of one size it is plain k-means", () => {
    const identity = {
      rows: width,
      columns: width,
      data: Float64Array.from({ length: 16 }, (_, i) => (i % 5 ? 0 : 1)),
    };
    const [plain, same] = [undefined, identity].map((own) =>
      productPalette(w, rows, columns, { ...options, gram: own, rng: createRng(1) }),
    );
    // the root of I is a permutation of its rows, which changes no distance
    expect(depalettize(same!)).toEqual(depalettize(plain!));
  });
  it("Q-14: works with inputs that leave some directions out, and takes n log2 k + 16 k width bits", () => {
    const poor = { rows: width, columns: width, data: new Float64Array(16).fill(1) };
    const made = productPalette(w, rows, columns, { ...options, half: true, gram: poor, rng: createRng(1) });
    expect(made.values.every(Number.isFinite)).toBe(true);
    expect(paletteBytes(made, 2)).toBe((((rows * columns) / width) * 5 + 32 * width * 16) / 8);
  });
});
