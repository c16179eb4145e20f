import type { Layer } from "../layers.ts";
import type { LayerObserver } from "../pass.ts";
import { sharedStats } from "./shared-stats.ts";

/** Sizes of the columns of a layer's input, as its weight [out, columns] meets them. Not to be changed. */
export interface NormStats {
  /** Rows folded in, of each group. */
  n: number;
  readonly columns: number;
  readonly groups: number;
  /** [groups, columns], sum of x² */
  readonly squares: Float64Array;
  /** [groups, columns], sum of |x| */
  readonly absolutes: Float64Array;
  /** [groups, columns], max |x| */
  readonly largest: Float64Array;
}

const addRows = (
  { columns, squares, absolutes, largest }: NormStats,
  x: ArrayLike<number>,
  count: number,
  group: number,
) => {
  const base = group * columns;
  for (let r = 0, at = 0; r < count; r++)
    for (let c = base; c < base + columns; c++, at++) {
      const size = Math.abs(x[at]);
      squares[c] += size * size;
      absolutes[c] += size;
      if (size > largest[c]) largest[c] = size;
    }
};

/**
 * Folds the sum of squares, the sum of sizes and the largest size of each column of a layer's input: what `gramObserver`
 * has on its diagonal, in time and memory of one pass over the input. Convolutions are seen through their patches.
 * Layers that have no rows, as `inputRowsOf` tells, are left out.
 */
export const normObserver = ({
  only = () => true,
}: {
  readonly only?: (layer: Layer) => boolean;
} = {}): LayerObserver<NormStats> =>
  sharedStats<NormStats>({
    key: "norms",
    only,
    empty: ({ columns, groups }) => ({
      n: 0,
      columns,
      groups,
      squares: new Float64Array(groups * columns),
      absolutes: new Float64Array(groups * columns),
      largest: new Float64Array(groups * columns),
    }),
    add: addRows,
  });
