import { roundHalfEven } from "../half-even.ts";
import type { Rule } from "../method/prune-options.ts";
import { dropBlocks } from "./block.ts";
import { dropLowest } from "./lowest.ts";
import { dropByPattern } from "./nm.ts";

/**
 * 1 where a weight goes, [rows, columns]: the lowest scores of each row, of all, of each group of a pattern, or whole blocks.
 *
 * @param order see `dropByPattern`
 */
export const dropped = (
  scores: Float32Array,
  columns: number,
  { pattern, block, scope }: Rule,
  sparsity: number,
  order?: ArrayLike<number>,
): Uint8Array => {
  const drop = new Uint8Array(scores.length);
  if (pattern) dropByPattern(scores, columns, pattern, drop, order);
  else if (block && scope !== "global") dropBlocks(scores, columns, block, scope, sparsity, drop);
  else if (scope === "row") {
    const count = roundHalfEven(sparsity * columns);
    for (let from = 0; from < scores.length; from += columns) dropLowest(scores, count, drop, from, from + columns);
  } else dropLowest(scores, roundHalfEven(sparsity * scores.length), drop);
  return drop;
};

/** Sets what goes to zero, in place. */
export const clear = (w: Float32Array, drop: Uint8Array): Float32Array => {
  for (let i = 0; i < w.length; i++) if (drop[i]) w[i] = 0;
  return w;
};
