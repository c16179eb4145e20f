/** Divergence of what stands for a histogram, cut at `end` and merged to `levels`, from the histogram itself. */
const divergence = (counts: Float64Array, end: number, levels: number, total: number, inside: number): number => {
  const outliers = total - inside;
  // No code stands for outliers in a bin that is otherwise empty.
  if (outliers > 0 && counts[end - 1] === 0) return Number.POSITIVE_INFINITY;
  let sum = 0;
  for (let level = 0; level < levels; level++) {
    const first = Math.ceil((level * end) / levels);
    const last = Math.ceil(((level + 1) * end) / levels);
    let [merged, full] = [0, 0];
    for (let bin = first; bin < last; bin++) {
      const count = counts[bin]!;
      merged += count;
      if (count > 0) full++;
    }
    if (merged === 0) continue;
    const q = merged / full / inside;
    for (let bin = first; bin < last; bin++) {
      const p = (counts[bin]! + (bin === end - 1 ? outliers : 0)) / total;
      if (p > 0) sum += p * Math.log(p / q);
    }
  }
  return sum;
};

/**
 * How many bins of a histogram to keep, counted from its start, so that the integers say most about the values: the cut
 * with the least divergence
 *
 *     KL(P ‖ Q)    P = counts[0 .. i), all that lies beyond added to the last bin
 *                  Q = the same bins without that, merged to `levels`, each spread over its bins that are not empty
 *
 * over i from `least`, and at least `levels`, to all bins; the largest of equals. All bins where they are no more than
 * levels.
 *
 * @param counts of bins of equal width
 * Source: arXiv:2004.09602, section 5.1 (entropy), after Migacz, "8-bit Inference with TensorRT", 2017.
 */
export const entropyCut = (counts: Float64Array, levels: number, least = levels): number => {
  const total = counts.reduce((a, b) => a + b, 0);
  let [best, lowest] = [counts.length, Number.POSITIVE_INFINITY];
  let inside = 0;
  for (let end = 1; end <= counts.length; end++) {
    inside += counts[end - 1]!;
    if (end < Math.max(levels, least) || inside === 0) continue;
    const found = divergence(counts, end, levels, total, inside);
    if (found <= lowest) [best, lowest] = [end, found];
  }
  return best;
};
