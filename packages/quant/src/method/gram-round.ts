import {
  type Context,
  type GramStats,
  gramObserver,
  gramOf,
  type Layer,
  type Model,
  type Pass,
  type Rng,
} from "@espalier/core";
import type { Matrix } from "@espalier/core/linalg";
import { allFinite } from "../grid/all-finite.ts";
import type { Grid, GridOptions } from "../grid/grid.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { stacked } from "../grid/row-parts.ts";
import { calibratedRound } from "./calibrated-round.ts";
import { type RtnOptions, weightPass } from "./weight-pass.ts";

export interface GramRoundOptions extends RtnOptions {
  /** Each segment of the model is calibrated on what the rounded ones before it give; otherwise all on the float model. */
  readonly sequential?: boolean;
  /** Most bytes that the Gram matrices of one layer may take; larger layers are rounded to nearest. */
  readonly maxGramBytes?: number;
}

/** Rounds rows that see the same input by their Gram matrix. */
export type RoundRows = (
  w: Float32Array,
  shape: { readonly rows: number; readonly columns: number },
  options: GridOptions,
  gram: Matrix,
  rng: Rng,
  layer: Layer,
) => Grid;

/**
 * The rows of a layer by what calibration tells of their input, group by group; to nearest where it tells nothing or
 * something that is not finite.
 */
export const roundByGram = (
  w: Float32Array,
  { rows, columns }: { readonly rows: number; readonly columns: number },
  options: GridOptions,
  layer: Layer,
  stats: GramStats | undefined,
  rng: Rng,
  roundRows: RoundRows,
): Grid => {
  const fits =
    stats && stats.n > 0 && stats.columns === columns && rows % stats.groups === 0 && stats.gram.every(Number.isFinite);
  if (!fits || !allFinite(w)) return quantizeRows(w, rows, columns, options);
  const part = rows / stats.groups;
  const grids = Array.from({ length: stats.groups }, (_, group) => {
    const own = w.subarray(group * part * columns, (group + 1) * part * columns);
    return roundRows(own, { rows: part, columns }, options, gramOf(stats, group), rng, layer);
  });
  return stacked(grids);
};

/** A pass that rounds the weights of each layer by the Gram matrix of its input. */
export const gramRoundPass = (
  name: string,
  { sequential = true, maxGramBytes, ...options }: GramRoundOptions,
  roundRows: RoundRows,
): Pass => {
  const limit = maxGramBytes === undefined ? {} : { maxBytes: maxGramBytes };
  return weightPass({
    name,
    traits: { needs: ["calibration", "ort"] },
    options,
    round: (model: Model, ctx: Context, grids) =>
      calibratedRound<GramStats>(model, ctx, grids, {
        name,
        sequential,
        observer: (only) => gramObserver({ only, ...limit }),
        round: (w, shape, grid, layer, stats) =>
          roundByGram(w, shape, grid, layer, stats, ctx.rng.fork(`${name} ${layer.name}`), roundRows),
      }),
  });
};
