import type { Rng } from "@espalier/core";

/** Groups of points by the nearest of k centres. */
interface Clusters {
  /** [k, width]; k may be less than was asked for, where fewer points differ */
  readonly centres: Float64Array;
  /** [count], which centre is nearest to each point */
  readonly codes: Uint16Array;
  /** Sum of squared distances after each step; it never grows, but where an empty cluster was filled. */
  readonly errors: readonly number[];
}

interface KMeansOptions {
  readonly rng: Rng;
  /** Steps of Lloyd's algorithm at most; it ends when no code changes. */
  readonly steps?: number;
}

const USUAL_STEPS = 50;
/** An empty cluster becomes a copy of the largest, moved by this part of itself. */
const SPLIT = 1e-6;
/** Points that the first centres are drawn from, at most. */
const SEEDING_POINTS = 1 << 14;

const squaredDistance = (a: Float64Array, i: number, b: Float64Array, j: number, width: number): number => {
  let sum = 0;
  for (let axis = 0; axis < width; axis++) sum += (a[i * width + axis]! - b[j * width + axis]!) ** 2;
  return sum;
};

/** First centres by k-means++: each drawn with its squared distance to those before it. Source: Arthur, Vassilvitskii 2007. */
const seeded = (points: Float64Array, width: number, k: number, rng: Rng): Float64Array => {
  const all = points.length / width;
  // an even sample of many points
  const count = Math.min(all, SEEDING_POINTS);
  const at = (i: number) => Math.floor((i * all) / count);
  const centres = new Float64Array(k * width);
  const distances = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
  let made = 0;
  const add = (i: number) => {
    centres.set(points.subarray(at(i) * width, (at(i) + 1) * width), made * width);
    for (let j = 0; j < count; j++)
      distances[j] = Math.min(distances[j]!, squaredDistance(points, at(j), centres, made, width));
    made++;
  };
  add(rng.below(count));
  while (made < k) {
    const total = distances.reduce((a, b) => a + b, 0);
    if (!(total > 0)) break;
    let left = rng.uniform() * total;
    let chosen = distances.findLastIndex((distance) => distance > 0);
    for (let i = 0; i < count; i++) {
      left -= distances[i]!;
      if (left < 0) {
        chosen = i;
        break;
      }
    }
    add(chosen);
  }
  return centres.slice(0, made * width);
};

/** Codes of the nearest centres, written; the sum of squared distances, and how many codes changed. */
const assign = (points: Float64Array, width: number, centres: Float64Array, codes: Uint16Array) => {
  const k = centres.length / width;
  let [error, changed] = [0, 0];
  for (let i = 0; i < codes.length; i++) {
    let [best, least] = [0, Number.POSITIVE_INFINITY];
    const from = i * width;
    for (let j = 0, to = 0; j < k; j++, to += width) {
      let sum = 0;
      for (let axis = 0; axis < width && sum < least; axis++) {
        const part = points[from + axis]! - centres[to + axis]!;
        sum += part * part;
      }
      if (sum < least) [best, least] = [j, sum];
    }
    if (codes[i] !== best) changed++;
    codes[i] = best;
    error += least;
  }
  return { error, changed };
};

/**
 * k-means: k-means++ to begin with, then Lloyd's steps, until no point changes its cluster.
 *
 *     code = argmin_c |point - centre_c|²      centre = mean of its points
 *
 * A cluster without points takes half of the largest one. Source: Lloyd 1982; Arthur, Vassilvitskii 2007.
 *
 * @param points [count, width]
 */
export const kMeans = (
  points: Float64Array,
  width: number,
  k: number,
  { rng, steps = USUAL_STEPS }: KMeansOptions,
): Clusters => {
  const centres = seeded(points, width, k, rng);
  const made = centres.length / width;
  const codes = new Uint16Array(points.length / width);
  const errors = [assign(points, width, centres, codes).error];
  for (let step = 0; step < steps; step++) {
    const sums = new Float64Array(centres.length);
    const counts = new Uint32Array(made);
    codes.forEach((code, i) => {
      counts[code]!++;
      for (let axis = 0; axis < width; axis++) sums[code * width + axis]! += points[i * width + axis]!;
    });
    counts.forEach((count, code) => {
      if (count > 0)
        for (let axis = 0; axis < width; axis++) centres[code * width + axis] = sums[code * width + axis]! / count;
    });
    counts.forEach((count, code) => {
      if (count > 0) return;
      const largest = counts.indexOf(counts.reduce((a, b) => Math.max(a, b), 0));
      for (let axis = 0; axis < width; axis++)
        centres[code * width + axis] = centres[largest * width + axis]! * (1 + SPLIT);
      counts[largest] = counts[largest]! >> 1;
    });
    const { error, changed } = assign(points, width, centres, codes);
    errors.push(error);
    if (changed === 0) break;
  }
  return { centres, codes, errors };
};
