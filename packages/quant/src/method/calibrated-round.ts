import {
  type Context,
  checkAborted,
  eachSegment,
  type Layer,
  type LayerObserver,
  type Model,
  observe,
} from "@espalier/core";
import { dequantizeRows, type Grid, type GridOptions, isFiniteGrid } from "../grid/grid.ts";
import { rowsOf, rowTensor, rowValues } from "./weight-fit.ts";
import type { Round } from "./weight-pieces.ts";

export interface CalibratedRound<Stats> {
  /** Name of the pass. */
  readonly name: string;
  /** Each segment of the model is calibrated on what the rounded ones before it give; otherwise all on the model as it is. */
  readonly sequential: boolean;
  observer(only: (layer: Layer) => boolean): LayerObserver<Stats>;
  /** Bytes that the statistics of a layer take; layers are observed in groups of at most `memory`, a run for each. */
  readonly bytes?: (layer: Layer) => number;
  readonly memory?: number;
  /**
   * As `Round`, with what is known of the layer's input: undefined for tables, layers in subgraphs, and others that have
   * no rows.
   */
  round(
    rows: Float32Array,
    shape: { readonly rows: number; readonly columns: number },
    grid: GridOptions,
    layer: Layer,
    stats: Stats | undefined,
  ): Grid | undefined | Promise<Grid | undefined>;
}

/** Bytes of statistics that are held at a time, where the model is calibrated as it is. */
const USUAL_MEMORY = 2 ** 28;

/** Layers in their order, in runs whose bytes together fit; one that is larger is a run of its own. */
const inGroups = (layers: readonly Layer[], bytes: (layer: Layer) => number, memory: number): Layer[][] => {
  const groups: Layer[][] = [];
  let left = -1;
  for (const layer of layers) {
    const own = bytes(layer);
    if (groups.length === 0 || own > left) {
      groups.push([]);
      left = memory;
    }
    groups.at(-1)!.push(layer);
    left -= own;
  }
  return groups;
};

/**
 * A rule of rounding by statistics of each layer's input: makes the grids of all layers, calibrating on the way, and
 * hands them out. Memory: a byte a weight, beside the statistics of one segment, or of a group of layers where not sequential.
 */
export const calibratedRound = async <Stats>(
  model: Model,
  ctx: Context,
  grids: ReadonlyMap<Layer, GridOptions>,
  { name, sequential, observer, bytes = () => 0, memory = USUAL_MEMORY, round }: CalibratedRound<Stats>,
): Promise<Round> => {
  const planned = new Map([...grids].map(([layer, grid]) => [layer.name, grid]));
  const made = new Map<string, Grid>();
  const treat = async (layer: Layer, stats: Stats | undefined) => {
    checkAborted(name, ctx.signal);
    const [rows, columns] = rowsOf(layer);
    const values = await rowValues(layer);
    const grid = await round(values, { rows, columns }, planned.get(layer.name)!, layer, stats);
    ctx.progress({
      kind: "step",
      task: `${name}: rounding`,
      done: made.size + 1,
      total: planned.size,
      note: layer.name,
    });
    if (!grid || !isFiniteGrid(grid)) return undefined;
    made.set(layer.name, grid);
    return sequential ? rowTensor(layer, dequantizeRows(grid)) : undefined;
  };
  const wanted = new Set(planned.keys());
  ctx.progress({ kind: "start", task: `${name}: rounding`, total: planned.size });
  if (sequential) await eachSegment<Stats>(model, ctx, { where: name, wanted, observer }, treat);
  else
    for (const group of inGroups([...grids.keys()], bytes, memory)) {
      const names = new Set(group.map(({ name: own }) => own));
      const stats = await observe(
        model,
        observer((layer) => names.has(layer.name)),
        ctx,
      );
      for (const layer of group) await treat(layer, stats.get(layer.name));
    }
  ctx.progress({ kind: "end", task: `${name}: rounding` });
  return (_, __, ___, layer) => made.get(layer.name);
};
