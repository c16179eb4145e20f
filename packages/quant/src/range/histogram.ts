/** Bins in all: 2048 of |x|, as the entropy calibrator of arXiv:2004.09602, section 5.1, wants them. */
const BINS = 4096;
/** The bin whose left edge is zero. */
export const MIDDLE = BINS / 2;
/** From the largest float16 on a value is a mask (-65504, -1e9, -3.4e38 of attention), and not a measured activation. */
const MASK = 65504;

/**
 * What streaming over a value leaves behind, of fixed size: extremes, and a histogram whose bins are `2^exponent` wide
 * and centred on zero. A value outside doubles the width of all bins, so the result does not depend on the batching.
 */
export interface RangeStats {
  low: number;
  high: number;
  /** Averages of each batch's extremes, with the factor of `MOVING` for what came before. */
  movingLow: number;
  movingHigh: number;
  batches: number;
  count: number;
  masked: number;
  exponent: number;
  readonly counts: Float64Array;
}

/** Share of the past in the moving average. Source: arXiv:1712.05877, section 3.1 ("close to 1"). */
const MOVING = 0.9;
/** Width of the first bins, 2^-32: far below what matters beside any activation. */
const FIRST_EXPONENT = -32;

export const emptyRange = (): RangeStats => ({
  low: 0,
  high: 0,
  movingLow: 0,
  movingHigh: 0,
  batches: 0,
  count: 0,
  masked: 0,
  exponent: FIRST_EXPONENT,
  counts: new Float64Array(BINS),
});

/** Left edge of a bin. */
export const edgeOf = ({ exponent }: RangeStats, bin: number): number => (bin - MIDDLE) * 2 ** exponent;

/** Pairs of bins become one: zero stays an edge. */
const widen = (stats: RangeStats, exponent: number) => {
  while (stats.exponent < exponent) {
    const { counts } = stats;
    const old = counts.slice();
    counts.fill(0);
    for (let bin = 0; bin < BINS; bin++) counts[Math.floor((bin - MIDDLE) / 2) + MIDDLE]! += old[bin]!;
    stats.exponent++;
  }
};

/** Folds a batch into the statistics of its value. Masks (infinite, or from 65504 on) are counted apart. */
export const updateRange = (stats: RangeStats, values: Float32Array): void => {
  let [low, high, size] = [0, 0, 0];
  for (const value of values) {
    if (!(Math.abs(value) < MASK)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
    size = Math.max(size, Math.abs(value));
  }
  stats.low = Math.min(stats.low, low);
  stats.high = Math.max(stats.high, high);
  const past = stats.batches === 0 ? 0 : MOVING;
  stats.movingLow = past * stats.movingLow + (1 - past) * low;
  stats.movingHigh = past * stats.movingHigh + (1 - past) * high;
  stats.batches++;
  // Half the bins lie on each side; the largest value must fall inside the last one.
  let exponent = stats.exponent;
  while (size >= MIDDLE * 2 ** exponent) exponent++;
  widen(stats, exponent);
  const perBin = 2 ** -stats.exponent;
  for (const value of values) {
    if (!(Math.abs(value) < MASK)) {
      stats.masked++;
      continue;
    }
    stats.counts[Math.floor(value * perBin) + MIDDLE]!++;
    stats.count++;
  }
};
