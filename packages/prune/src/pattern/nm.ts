import { dropLowest } from "./lowest.ts";
import type { Pattern } from "./pattern.ts";

/**
 * Marks the lowest `of - keep` scores of each group of `of` columns with 1 in `drop`, [rows, columns].
 *
 * @param order the columns in the order in which they are grouped; as they are by default
 */
export const dropByPattern = (
  scores: Float32Array,
  columns: number,
  { keep, of }: Pattern,
  drop: Uint8Array,
  order?: ArrayLike<number>,
): void => {
  if (!order) {
    for (let from = 0; from < scores.length; from += of) dropLowest(scores, of - keep, drop, from, from + of);
    return;
  }
  const [group, dropped] = [new Float32Array(of), new Uint8Array(of)];
  for (let row = 0; row < scores.length; row += columns)
    for (let from = 0; from < columns; from += of) {
      for (let i = 0; i < of; i++) group[i] = scores[row + order[from + i]];
      dropped.fill(0);
      dropLowest(group, of - keep, dropped);
      for (let i = 0; i < of; i++) drop[row + order[from + i]] = dropped[i];
    }
};
