/** Density and distribution of the standard normal. */
const density = (x: number): number => (Number.isFinite(x) ? Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI) : 0);

/** To 1.5e-7. Source: Abramowitz and Stegun, 7.1.26. */
const distribution = (x: number): number => {
  if (!Number.isFinite(x)) return x > 0 ? 1 : 0;
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * z);
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const erf = 1 - series * Math.exp(-z * z);
  return (x >= 0 ? 1 + erf : 1 - erf) / 2;
};

/**
 * Mean of a normal number that is clipped to low .. high, either of which may be infinite.
 *
 *     a = (low - μ) / σ    b = (high - μ) / σ
 *     E = low Φ(a) + high (1 - Φ(b)) + μ (Φ(b) - Φ(a)) + σ (φ(a) - φ(b))
 *
 * Source: arXiv:1906.04721, appendix C (clipped normal distribution).
 */
export const clippedNormalMean = (mean: number, deviation: number, low: number, high: number): number => {
  if (!(deviation > 0)) return Math.min(high, Math.max(low, mean));
  const [a, b] = [(low - mean) / deviation, (high - mean) / deviation];
  const ends =
    (Number.isFinite(low) ? low * distribution(a) : 0) + (Number.isFinite(high) ? high * (1 - distribution(b)) : 0);
  return ends + mean * (distribution(b) - distribution(a)) + deviation * (density(a) - density(b));
};
