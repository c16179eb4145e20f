import { nearest } from "../grid/nearest.ts";
import { aciqStatsRange } from "./aciq.ts";
import { entropyCut } from "./entropy.ts";
import { edgeOf, MIDDLE, type RangeStats } from "./histogram.ts";

/**
 * Turns statistics into the range that the integers span; zero is always inside. A percentile leaves half of what is
 * above it outside on each side. `entropy` cuts too much where values crowd at a sharp edge, as Swish and GELU make one;
 * its paper shows the same on BERT. `aciq` is a formula of the moments, see `aciqThreshold`.
 */
export type Calibrator = "minmax" | "moving-average" | "mse" | "entropy" | "aciq" | { readonly percentile: number };

export interface Range {
  readonly low: number;
  readonly high: number;
}

/** Centre of a bin. */
const centre = (stats: RangeStats, bin: number) => (edgeOf(stats, bin) + edgeOf(stats, bin + 1)) / 2;

/** The range that leaves half of what is above the percentile outside on each side; 100 is the extremes. */
const percentileRange = (stats: RangeStats, percentile: number): Range => {
  const outside = ((1 - percentile / 100) * stats.count) / 2;
  const { counts } = stats;
  let first = 0;
  let last = counts.length - 1;
  for (let sum = counts[first]!; sum <= outside && first < last; sum += counts[++first]!);
  for (let sum = counts[last]!; sum <= outside && last > first; sum += counts[--last]!);
  return {
    low: Math.min(0, Math.max(stats.low, edgeOf(stats, first))),
    high: Math.max(0, Math.min(stats.high, edgeOf(stats, last + 1))),
  };
};

const BITS = 8;
const LEVELS = 255;
/** Ranges tried by the MSE calibrator: shares of the extremes, from all down to a fifth. */
const SHARES = 81;
const STEP = 0.01;

/** Squared error of the bins' centres on the grid of a range. */
const squaredError = (stats: RangeStats, { low, high }: Range): number => {
  const step = (high - low) / LEVELS;
  const zero = nearest(-low / step);
  let error = 0;
  for (let bin = 0; bin < stats.counts.length; bin++) {
    const count = stats.counts[bin]!;
    if (count === 0) continue;
    const value = centre(stats, bin);
    const code = Math.max(-zero, Math.min(LEVELS - zero, nearest(value / step)));
    error += count * (value - code * step) ** 2;
  }
  return error;
};

/** Least squared error, one end after the other, as activations are seldom symmetric. */
const mseRange = (stats: RangeStats): Range => {
  let best: Range = { low: stats.low, high: stats.high };
  let least = squaredError(stats, best);
  const attempt = (range: Range) => {
    const error = squaredError(stats, range);
    if (error < least) [best, least] = [range, error];
  };
  for (let i = 0; i < SHARES; i++) attempt({ low: best.low, high: stats.high * (1 - i * STEP) });
  for (let i = 0; i < SHARES; i++) attempt({ low: stats.low * (1 - i * STEP), high: best.high });
  return best;
};

/**
 * The published search for |x| under half of the codes, made for a grid that need not be symmetric: the upper end and
 * then the lower one, each with all codes over what is kept. Where all values have one sign it is the published one.
 */
const entropyRange = (stats: RangeStats): Range => {
  const { low, high, exponent } = stats;
  const width = 2 ** exponent;
  const [first, last] = [Math.floor(low / width), Math.floor(high / width)];
  const counts = stats.counts.slice(MIDDLE + first, MIDDLE + last + 1);
  // Zeros say nothing of a range: their bin counts as much as the next.
  counts[-first] = counts[1 - first] ?? 0;
  const kept = entropyCut(counts, LEVELS + 1, 1 - first);
  const lower = entropyCut(counts.slice(0, kept).reverse(), LEVELS + 1, kept + first);
  return { low: Math.max(low, (first + kept - lower) * width), high: Math.min(high, (first + kept) * width) };
};

/** The range of a value by a calibrator. Sources: arXiv:2004.09602 section 5.1; moving average arXiv:1712.05877. */
export const rangeOf = (stats: RangeStats, calibrator: Calibrator): Range => {
  if (calibrator === "minmax") return { low: stats.low, high: stats.high };
  if (calibrator === "moving-average") return { low: stats.movingLow, high: stats.movingHigh };
  if (calibrator === "entropy") return entropyRange(stats);
  if (calibrator === "aciq") return aciqStatsRange(stats, BITS);
  return calibrator === "mse" ? mseRange(stats) : percentileRange(stats, calibrator.percentile);
};
