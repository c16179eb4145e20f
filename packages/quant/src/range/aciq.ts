import type { RangeStats } from "./histogram.ts";
import { edgeOf } from "./histogram.ts";

export type Density = "gauss" | "laplace";

/** erf to 1.2e-7. Source: Press et al., Numerical Recipes, section 6.2 (Chebyshev fit of erfc). */
const erf = (x: number): number => {
  const t = 1 / (1 + Math.abs(x) / 2);
  const series = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
    0.17087277,
  ];
  const sum = series.reduceRight((total, c) => total * t + c, 0);
  const tail = t * Math.exp(-x * x + sum);
  return x >= 0 ? 1 - tail : tail - 1;
};

/**
 * Mean squared error of clipping at ±alpha and rounding to 2^bits levels, for a density of scale 1 (b, or σ).
 *
 *     laplace:  2 e^-α + α² / (3 · 4^bits)
 *     gauss:    (1 + α²)(1 - erf(α / √2)) - √(2 / π) α e^(-α² / 2) + α² / (3 · 4^bits)
 *
 * Source: arXiv:1810.05723, eqs. 5 and 7.
 */
export const clippedError = (alpha: number, bits: number, density: Density): number => {
  const rounding = alpha ** 2 / (3 * 4 ** bits);
  if (density === "laplace") return 2 * Math.exp(-alpha) + rounding;
  const outside = (1 + alpha ** 2) * (1 - erf(alpha / Math.SQRT2));
  return outside - Math.sqrt(2 / Math.PI) * alpha * Math.exp(-(alpha ** 2) / 2) + rounding;
};

const GOLDEN = (Math.sqrt(5) - 1) / 2;
/** The threshold of 16 bits is below 20 scales; 60 cuts by the golden ratio leave 1e-11 of that. */
const [FARTHEST, CUTS] = [20, 60];

const known = new Map<string, number>();

/** Threshold, in scales of the density, at which `clippedError` is least; by golden sections. */
export const aciqThreshold = (bits: number, density: Density): number => {
  const key = `${density} ${bits}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  let [low, high] = [0, FARTHEST];
  for (let cut = 0; cut < CUTS; cut++) {
    const [a, b] = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
    if (clippedError(a, bits, density) < clippedError(b, bits, density)) high = b;
    else low = a;
  }
  known.set(key, (low + high) / 2);
  return (low + high) / 2;
};

/** What the analytic threshold asks of values: how many lie where. */
export interface Moments {
  readonly mean: number;
  /** E|x - mean| */
  readonly deviation: number;
  /** √E(x - mean)² */
  readonly sigma: number;
}

/** E|x - mean| / σ is √(2 / π) = 0.798 for a Gaussian and 1 / √2 = 0.707 for Laplace numbers: the nearer one is taken. */
const BETWEEN = (Math.sqrt(2 / Math.PI) + Math.SQRT1_2) / 2;

/** Distance from the mean at which values are clipped, by the density that the moments are nearer to. */
export const clipDistance = ({ deviation, sigma }: Moments, bits: number): number =>
  deviation > BETWEEN * sigma ? aciqThreshold(bits, "gauss") * sigma : aciqThreshold(bits, "laplace") * deviation;

/** Values of one sign, as ReLU leaves them, are half a density about 0, whose other half needs no codes: one bit more. */
export const aciqRange = (
  { low, high }: { readonly low: number; readonly high: number },
  moments: Moments,
  aboutZero: Moments,
  bits: number,
): { readonly low: number; readonly high: number } => {
  if (low >= 0) return { low: 0, high: Math.min(high, clipDistance(aboutZero, bits + 1)) };
  if (high <= 0) return { low: Math.max(low, -clipDistance(aboutZero, bits + 1)), high: 0 };
  const distance = clipDistance(moments, bits);
  return { low: Math.max(low, moments.mean - distance), high: Math.min(high, moments.mean + distance) };
};

/** Moments of values by their histogram, about their mean, or about 0 with the bin of zeros left out. */
const momentsOf = (stats: RangeStats, about: "mean" | "zero"): Moments => {
  const centre = (bin: number) => (edgeOf(stats, bin) + edgeOf(stats, bin + 1)) / 2;
  const zeroBin = stats.counts.length / 2;
  let [count, sum] = [0, 0];
  const each = (visit: (value: number, times: number) => void) =>
    stats.counts.forEach((times, bin) => {
      if (times > 0 && !(about === "zero" && bin === zeroBin)) visit(centre(bin), times);
    });
  each((value, times) => {
    count += times;
    sum += value * times;
  });
  const mean = about === "zero" || count === 0 ? 0 : sum / count;
  let [absolute, squares] = [0, 0];
  each((value, times) => {
    absolute += Math.abs(value - mean) * times;
    squares += (value - mean) ** 2 * times;
  });
  return { mean, deviation: absolute / (count || 1), sigma: Math.sqrt(squares / (count || 1)) };
};

/** The range of an activation by ACIQ. Source: arXiv:1810.05723, section 2. */
export const aciqStatsRange = (stats: RangeStats, bits: number) =>
  aciqRange(stats, momentsOf(stats, "mean"), momentsOf(stats, "zero"), bits);

/**
 * Bits of parts under a mean: levels in proportion to the range's two thirds, which makes the rounding errors of all parts
 * weigh alike.
 *
 *     B_i = 2^bits n α_i^(2/3) / Σ α_j^(2/3)      bits_i = ⌊log2 B_i⌋, within least .. most
 *
 * Source: arXiv:1810.05723, section 3, eq. 13.
 */
export const bitAllocation = (
  ranges: readonly number[],
  bits: number,
  { least = 2, most = 8 }: { readonly least?: number; readonly most?: number } = {},
): readonly number[] => {
  const shares = ranges.map((range) => range ** (2 / 3));
  const sum = shares.reduce((a, b) => a + b, 0);
  const total = 2 ** bits * ranges.length;
  // as much as a rounding of the sum may take from equal parts
  const slack = 1 + 1e-9;
  return shares.map((share) =>
    sum > 0 ? Math.max(least, Math.min(most, Math.floor(Math.log2(((total * share) / sum) * slack)))) : bits,
  );
};
