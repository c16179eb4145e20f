/** A block of layers that get the same sparsity. */
export interface OwlBlock {
  /** Share of weights whose |w| · ‖x‖ is an outlier. */
  readonly outliers: number;
  /** Weights. */
  readonly size: number;
}

/** How many times the mean makes an outlier, and how far sparsities may lie from the wanted one. Source: arXiv:2310.05175, section 4. */
const OUTLIER = 5;
const SPREAD = 0.08;

/**
 * Share of the scores that exceed `times` their mean.
 *
 *     D = #{ A_ij > times · mean(A) } / #A      A_ij = |w_ij| ‖x_j‖₂
 */
export const outlierShare = (scores: ArrayLike<number>, times = OUTLIER): number => {
  let sum = 0;
  for (let i = 0; i < scores.length; i++) sum += scores[i];
  const threshold = (times * sum) / scores.length;
  let count = 0;
  for (let i = 0; i < scores.length; i++) if (scores[i] > threshold) count++;
  return scores.length === 0 ? 0 : count / scores.length;
};

/**
 * Sparsities of blocks: more outliers, fewer zeros. The shares of outliers are stretched over an interval of
 * 2 · spread, which is moved so that `sparsity` of all weights goes.
 *
 * Guarantee: sum(size · result) = sparsity · sum(size), and the results lie in an interval of 2 · spread, unless one
 * would leave [0, 1): then the interval is made smaller until none does. Source: arXiv:2310.05175.
 */
export const owlRatios = (blocks: readonly OwlBlock[], sparsity: number, spread = SPREAD): number[] => {
  const shares = blocks.map(({ outliers }) => outliers);
  const [least, most] = [Math.min(...shares), Math.max(...shares)];
  const total = blocks.reduce((sum, { size }) => sum + size, 0);
  const at = shares.map((share) => (most > least ? (share - least) / (most - least) : 0));
  const mean = blocks.reduce((sum, { size }, i) => sum + size * at[i], 0) / total;
  // sparsity - width (at - mean) must stay from 0 to less than 1
  const limits = at.map((share) => {
    if (share > mean) return sparsity / (share - mean);
    return share < mean ? (1 - sparsity) / (mean - share) / 2 : Number.POSITIVE_INFINITY;
  });
  const width = Math.min(2 * spread, ...limits);
  return at.map((share) => sparsity - width * (share - mean));
};
