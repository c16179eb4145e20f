import type { Rng } from "@espalier/core";
import type { Mask } from "../mask.ts";
import { blockText } from "../pattern/block.ts";
import { clear, dropped } from "../pattern/drop.ts";
import { patternText } from "../pattern/pattern.ts";
import { permuteColumns } from "../pattern/permute-columns.ts";
import type { Rule } from "./prune-options.ts";

export interface ByScore {
  readonly rows: Float32Array;
  readonly promise: Pick<Mask, "pattern" | "order">;
}

/**
 * A weight with its lowest scores at zero, in place.
 *
 * @param w      [rows, columns]
 * @param scores [rows, columns]
 * @param rng given where the columns may be put in another order for the pattern 2:4
 */
export const pruneByScore = (
  w: Float32Array,
  scores: Float32Array,
  columns: number,
  rule: Rule,
  sparsity: number,
  rng?: Rng,
): ByScore => {
  const order = rule.pattern && rng ? permuteColumns(scores, columns, rng) : undefined;
  const rows = clear(w, dropped(scores, columns, rule, sparsity, order));
  const text = rule.block ? blockText(rule.block) : rule.pattern && patternText(rule.pattern);
  const pattern = text !== undefined && { pattern: text };
  return { rows, promise: { ...pattern, ...(order && { order: [...order] }) } };
};
