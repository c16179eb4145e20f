import type { Rng } from "@espalier/core";

/** Columns in a group of 2:4. */
const GROUP = 4;
/** Random exchanges of two columns by which the search leaves a place that no exchange betters. Source: the bounded regressions of Pool and Yu 2021. */
const ESCAPES = 8;
const ESCAPE_SWAPS = 4;

/** max(a, b) + max of the rest: the two largest of four. */
const topTwo = (a: number, b: number, c: number, d: number): number => {
  const [high, low] = a > b ? [a, b] : [b, a];
  const [high2, low2] = c > d ? [c, d] : [d, c];
  if (high > high2) return high + Math.max(low, high2);
  return high2 + Math.max(low2, high);
};

/** What a group of four columns keeps: the two largest scores of each row. @param columns [columns, rows] */
const keptBy = (columns: Float32Array, rows: number, a: number, b: number, c: number, d: number): number => {
  let sum = 0;
  for (let r = 0; r < rows; r++)
    sum += topTwo(columns[a * rows + r], columns[b * rows + r], columns[c * rows + r], columns[d * rows + r]);
  return sum;
};

interface Swap {
  readonly gain: number;
  readonly i: number;
  readonly j: number;
}

/**
 * An order of the columns in which 2:4 keeps more of the scores than in their own: columns of two groups are exchanged
 * as long as some exchange keeps more, the best first; then a few are exchanged at random, and again, and the best order of
 * all is taken.
 *
 * @param scores [rows, columns], not negative; columns a multiple of 4
 * Guarantee: what is kept is never less than in the order 0, 1, 2 … Source: Pool and Yu, "Channel Permutations for N:M
 * Sparsity", NeurIPS 2021.
 */
export const permuteColumns = (scores: Float32Array, columns: number, rng: Rng): Int32Array => {
  const rows = scores.length / columns;
  const turned = new Float32Array(scores.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) turned[c * rows + r] = scores[r * columns + c];
  const groups = columns / GROUP;
  const order = Int32Array.from({ length: columns }, (_, i) => i);
  const keeps = (group: number): number => {
    const at = group * GROUP;
    return keptBy(turned, rows, order[at], order[at + 1], order[at + 2], order[at + 3]);
  };
  const kept = Float64Array.from({ length: groups }, (_, group) => keeps(group));
  const exchange = (i: number, j: number) => {
    [order[i], order[j]] = [order[j], order[i]];
  };
  /** The best exchange between two groups. */
  const bestSwap = (a: number, b: number): Swap => {
    let best: Swap = { gain: 0, i: -1, j: -1 };
    for (let i = a * GROUP; i < (a + 1) * GROUP; i++)
      for (let j = b * GROUP; j < (b + 1) * GROUP; j++) {
        exchange(i, j);
        const gain = keeps(a) + keeps(b) - kept[a] - kept[b];
        exchange(i, j);
        if (gain > best.gain) best = { gain, i, j };
      }
    return best;
  };
  const total = () => kept.reduce((sum, value) => sum + value, 0);
  const least = total() * Number.EPSILON * columns;
  const swaps = new Map<number, Swap>();
  const refresh = (a: number) => {
    kept[a] = keeps(a);
  };
  const measure = (touched: readonly number[]) => {
    for (const a of touched)
      for (let b = 0; b < groups; b++) {
        const [low, high] = a < b ? [a, b] : [b, a];
        if (low !== high) swaps.set(low * groups + high, bestSwap(low, high));
      }
  };
  const climb = () => {
    for (;;) {
      let best: Swap = { gain: least, i: -1, j: -1 };
      for (const swap of swaps.values()) if (swap.gain > best.gain) best = swap;
      if (best.i < 0) return;
      exchange(best.i, best.j);
      const touched = [Math.floor(best.i / GROUP), Math.floor(best.j / GROUP)];
      touched.forEach(refresh);
      measure(touched);
    }
  };
  measure(Array.from({ length: groups }, (_, group) => group));
  climb();
  const snapshot = () => ({ order: order.slice(), kept: kept.slice(), swaps: new Map(swaps), total: total() });
  let best = snapshot();
  for (let round = 0; round < ESCAPES && groups > 1; round++) {
    const touched = new Set<number>();
    for (let swap = 0; swap < ESCAPE_SWAPS; swap++) {
      const [i, j] = [rng.below(columns), rng.below(columns)];
      exchange(i, j);
      touched.add(Math.floor(i / GROUP)).add(Math.floor(j / GROUP));
    }
    touched.forEach(refresh);
    measure([...touched]);
    climb();
    if (total() > best.total + least) best = snapshot();
    else {
      order.set(best.order);
      kept.set(best.kept);
      for (const [pair, swap] of best.swaps) swaps.set(pair, swap);
    }
  }
  return best.order;
};
