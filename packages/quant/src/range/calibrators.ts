import { edgeOf, type RangeStats } from "./histogram.ts";

/** Turns statistics into the range that the integers span; zero is always inside. */
export type Calibrator = "minmax" | "moving-average" | "mse" | { readonly percentile: number };

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

const LEVELS = 255;
/** Ranges tried by the MSE calibrator: shares of the extremes, from all down to a fifth. */
const SHARES = 81;
const STEP = 0.01;

/** Squared error of a uniform grid over a range: what is clipped, and step² / 12 for what is not. */
const squaredError = (stats: RangeStats, { low, high }: Range): number => {
  const inside = ((high - low) / LEVELS) ** 2 / 12;
  let error = 0;
  for (let bin = 0; bin < stats.counts.length; bin++) {
    const count = stats.counts[bin]!;
    if (count === 0) continue;
    const value = centre(stats, bin);
    const beyond = value < low ? low - value : value - high;
    error += count * (beyond > 0 ? beyond ** 2 : inside);
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

/** The range of a value by a calibrator. Sources: arXiv:2004.09602 section 5.1; moving average arXiv:1712.05877. */
export const rangeOf = (stats: RangeStats, calibrator: Calibrator): Range => {
  if (calibrator === "minmax") return { low: stats.low, high: stats.high };
  if (calibrator === "moving-average") return { low: stats.movingLow, high: stats.movingHigh };
  return calibrator === "mse" ? mseRange(stats) : percentileRange(stats, calibrator.percentile);
};
