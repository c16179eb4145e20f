import type { Layer } from "../layers.ts";
import type { Graph } from "../model.ts";
import type { LayerObserver } from "../pass.ts";
import type { PassKernels } from "../pass-kernels.ts";
import { type InputRows, inputRowsOf } from "./input-rows.ts";

interface RowStats {
  n: number;
}

export interface RowFold<Stats extends RowStats> {
  /** As `LayerObserver.key`. */
  readonly key: string;
  only(layer: Layer): boolean;
  empty(rows: InputRows): Stats;
  add(stats: Stats, rows: Float32Array | Float64Array, count: number, group: number, kernels?: PassKernels): void;
}

interface Entry<Stats> {
  readonly stats: Stats;
  /** The layer by which the input is folded in; the others only look. */
  readonly first: string;
  readonly members: Set<string>;
}

const inputsOf = ({ uses }: Layer) => uses.map(({ input, path }) => [...path, input].join("/")).join(" ");

/**
 * An observer of the rows that layers see. Layers that see the same rows of the same inputs share one object, so that
 * the query, key and value matrices of a transformer cost what one of them does.
 */
export const sharedStats = <Stats extends RowStats>({
  key,
  only,
  empty,
  add,
}: RowFold<Stats>): LayerObserver<Stats> => {
  const runs = new WeakMap<Graph, Map<string, Entry<Stats>>>();
  const entryOf = (layer: Layer, rows: InputRows): Entry<Stats> => {
    const graph = layer.weight.owner;
    let entries = runs.get(graph);
    // a layer that comes a second time begins another run over the same model
    if (!entries || [...entries.values()].some(({ members }) => members.has(layer.name))) entries = new Map();
    runs.set(graph, entries);
    const place = `${inputsOf(layer)} ${rows.columns} ${rows.key}`;
    const entry = entries.get(place) ?? { stats: empty(rows), first: layer.name, members: new Set<string>() };
    entry.members.add(layer.name);
    entries.set(place, entry);
    return entry;
  };
  const firsts = new WeakMap<Stats, string>();
  return {
    key,
    init(layer) {
      const rows = only(layer) ? inputRowsOf(layer) : "not wanted";
      if (typeof rows === "string") return undefined;
      const { stats, first } = entryOf(layer, rows);
      firsts.set(stats, first);
      return stats;
    },
    update(stats, x, layer, kernels) {
      if (firsts.get(stats) !== layer.name) return;
      const rows = inputRowsOf(layer);
      if (typeof rows === "string") return;
      rows.each(x, (block, count, group) => {
        if (group === 0) stats.n += count;
        add(stats, block, count, group, kernels);
      });
    },
  };
};
