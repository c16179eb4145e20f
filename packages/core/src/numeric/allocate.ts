/** One way to treat a layer. */
export interface Choice {
  /** A whole number of 0 or more. */
  readonly cost: number;
  readonly error: number;
}

/**
 * The choice for each layer that makes the sum of errors smallest while the sum of costs is at most `budget`, exact, by
 * dynamic programming over costs; undefined where even the cheapest choices cost more.
 *
 *     best[l][c] = min over choices of best[l - 1][c - cost] + error
 *
 * Time: layers × choices × budget; memory: 2 bytes × layers × budget.
 */
export const allocate = (layers: readonly (readonly Choice[])[], budget: number): number[] | undefined => {
  let best = new Float64Array(budget + 1);
  const taken = layers.map((choices) => {
    const next = new Float64Array(budget + 1).fill(Number.POSITIVE_INFINITY);
    const picked = new Uint16Array(budget + 1);
    choices.forEach(({ cost, error }, index) => {
      for (let c = cost; c <= budget; c++) {
        const sum = best[c - cost] + error;
        if (sum >= next[c]) continue;
        next[c] = sum;
        picked[c] = index;
      }
    });
    best = next;
    return picked;
  });
  if (best[budget] === Number.POSITIVE_INFINITY) return undefined;
  const found = new Array<number>(layers.length);
  let left = budget;
  for (let l = layers.length - 1; l >= 0; l--) {
    found[l] = taken[l][left];
    left -= layers[l][found[l]].cost;
  }
  return found;
};
