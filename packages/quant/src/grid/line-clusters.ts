import type { Rng } from "@espalier/core";

/** Sums of the first values and of their squares, so that any stretch's error is two subtractions. */
interface Sums {
  readonly values: Float64Array;
  readonly first: Float64Array;
  readonly second: Float64Array;
}

const sumsOf = (values: Float64Array): Sums => {
  const [first, second] = [new Float64Array(values.length + 1), new Float64Array(values.length + 1)];
  values.forEach((value, i) => {
    first[i + 1] = first[i]! + value;
    second[i + 1] = second[i]! + value * value;
  });
  return { values, first, second };
};

const meanOf = ({ first }: Sums, from: number, to: number) => (first[to]! - first[from]!) / (to - from);

/** Squared error of values[from .. to] about their mean. */
const errorOf = ({ first, second }: Sums, from: number, to: number): number => {
  const sum = first[to]! - first[from]!;
  return Math.max(0, second[to]! - second[from]! - (sum * sum) / (to - from));
};

/** Where the clusters of sorted values begin, and the end of the last: [k + 1]. */
type Bounds = Int32Array;

/** The first index whose value is above x. */
const above = (values: Float64Array, x: number): number => {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! > x) high = middle;
    else low = middle + 1;
  }
  return low;
};

const STEPS = 200;

/** Lloyd's steps on sorted values from k-means++ centres: clusters are stretches, cut halfway between centres. */
const lloyd = (sums: Sums, k: number, rng: Rng): Bounds => {
  const { values } = sums;
  const distances = new Float64Array(values.length).fill(Number.POSITIVE_INFINITY);
  const centres: number[] = [];
  while (centres.length < k) {
    let total = 0;
    const last = centres.at(-1);
    if (last !== undefined)
      for (let i = 0; i < values.length; i++) {
        distances[i] = Math.min(distances[i]!, (values[i]! - last) ** 2);
        total += distances[i]!;
      }
    let left = rng.uniform() * total;
    let chosen = last === undefined ? rng.below(values.length) : -1;
    for (let i = 0; i < values.length && chosen < 0; i++) {
      left -= distances[i]!;
      if (left < 0 && distances[i]! > 0) chosen = i;
    }
    if (chosen < 0) break;
    centres.push(values[chosen]!);
  }
  centres.sort((a, b) => a - b);
  let bounds = new Int32Array(centres.length + 1);
  for (let step = 0; step < STEPS; step++) {
    const next = new Int32Array(centres.length + 1);
    next[centres.length] = values.length;
    for (let j = 1; j < centres.length; j++) next[j] = above(values, (centres[j - 1]! + centres[j]!) / 2);
    if (step > 0 && next.every((bound, j) => bound === bounds[j])) break;
    bounds = next;
    for (let j = 0; j < centres.length; j++)
      if (bounds[j + 1]! > bounds[j]!) centres[j] = meanOf(sums, bounds[j]!, bounds[j + 1]!);
  }
  return bounds;
};

/**
 * The clusters of least squared error, by dynamic programming over stretches; where the last cluster begins never moves
 * back as values are added, so that each row takes n log n. Source: Wang, Song 2011 (Ckmeans.1d.dp); SMAWK's monotony.
 */
const exact = (sums: Sums, k: number): Bounds => {
  const n = sums.values.length;
  const from = Array.from({ length: k }, () => new Int32Array(n + 1));
  let before = Float64Array.from({ length: n + 1 }, (_, i) => (i === 0 ? 0 : errorOf(sums, 0, i)));
  for (let row = 1; row < k; row++) {
    const now = new Float64Array(n + 1);
    const starts = from[row]!;
    const solve = (low: number, high: number, least: number, most: number) => {
      if (low > high) return;
      const i = (low + high) >> 1;
      let [best, error] = [least, Number.POSITIVE_INFINITY];
      for (let j = least; j <= Math.min(most, i - 1); j++) {
        const sum = before[j]! + errorOf(sums, j, i);
        if (sum < error) [best, error] = [j, sum];
      }
      now[i] = i === 0 ? 0 : error;
      starts[i] = best;
      solve(low, i - 1, least, best);
      solve(i + 1, high, best, most);
    };
    solve(1, n, 0, n - 1);
    before = now;
  }
  const bounds = new Int32Array(k + 1);
  bounds[k] = n;
  for (let row = k - 1; row > 0; row--) bounds[row] = from[row]![bounds[row + 1]!]!;
  return bounds;
};

/** Most entries of the table that the exact clusters take. */
const EXACT_ENTRIES = 2 ** 25;

export interface LineOptions {
  readonly rng: Rng;
  /** `exact` finds the least error where values times clusters is at most 2^25, and is Lloyd's beyond. */
  readonly clustering?: "lloyd" | "exact";
}

/**
 * Centres of k clusters of numbers, ascending: k-means on a line. Fewer where fewer numbers differ.
 *
 * @param w not to be changed; finite
 */
export const lineCentres = (w: Float32Array, k: number, { rng, clustering = "lloyd" }: LineOptions): Float64Array => {
  const values = Float64Array.from(w).sort();
  const distinct = values.filter((value, i) => i === 0 || value !== values[i - 1]);
  if (distinct.length <= k) return distinct;
  const sums = sumsOf(values);
  const small = values.length * k <= EXACT_ENTRIES;
  const bounds = clustering === "exact" && small ? exact(sums, k) : lloyd(sums, k, rng);
  const centres: number[] = [];
  for (let j = 0; j + 1 < bounds.length; j++)
    if (bounds[j + 1]! > bounds[j]!) centres.push(meanOf(sums, bounds[j]!, bounds[j + 1]!));
  return Float64Array.from(new Set(centres));
};
