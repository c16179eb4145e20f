import type { Layer, LayerObserver, Tensor } from "@espalier/core";
import type { Metric } from "../factor/weighted-svd.ts";

/** How often each row of a table was asked for. */
export interface RowCounts {
  n: number;
  readonly counts: Float64Array;
}

const isTable = ({ kind, uses }: Layer): boolean =>
  kind === "embedding" && uses.every((use) => use.kind === "embedding");

const addRows = (stats: RowCounts, { type, data }: Tensor): void => {
  if (type !== "int64" && type !== "int32") return;
  const { counts } = stats;
  for (const index of data as BigInt64Array | Int32Array) {
    const row = Number(index) < 0 ? Number(index) + counts.length : Number(index);
    if (row >= 0 && row < counts.length) counts[row]++;
  }
  stats.n += data.length;
};

/** An observer that counts the rows of tables, and leaves the other layers to another observer. */
export const withTables = <Stats>(other: LayerObserver<Stats>): LayerObserver<Stats | RowCounts> => ({
  init: (layer) => (isTable(layer) ? { n: 0, counts: new Float64Array(layer.weight.dims[0]) } : other.init(layer)),
  update(stats, x, layer) {
    if (isTable(layer)) return addRows(stats as RowCounts, x);
    return other.update(stats as Stats, x, layer);
  },
});

export const isCounts = (stats: unknown): stats is RowCounts =>
  typeof stats === "object" && stats !== null && "counts" in stats;

/**
 * The error of a table's rows, weighed by how often each is asked for. Each row is counted once more than it was seen:
 * calibration data meets few of the rows of a large table, and the others must not be given up.
 */
export const tableMetric = ({ counts }: RowCounts): Metric => ({ left: counts.map((count) => Math.sqrt(1 + count)) });
