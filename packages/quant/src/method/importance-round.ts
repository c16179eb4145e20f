import { type Context, type Layer, type Model, type NormStats, normObserver } from "@espalier/core";
import type { GridOptions } from "../grid/grid.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { byRowParts } from "../grid/row-parts.ts";
import { calibratedRound } from "./calibrated-round.ts";
import type { Round } from "./weight-pieces.ts";

/**
 * Rounding to nearest, the scales searched for with each weight's squared error times the mean square of the input that
 * it meets: what llama.cpp calls an importance matrix. Layers whose input is not observed count all weights alike.
 */
export const importanceRound = (
  name: string,
  model: Model,
  ctx: Context,
  grids: ReadonlyMap<Layer, GridOptions>,
): Promise<Round> =>
  calibratedRound<NormStats>(model, ctx, grids, {
    name,
    sequential: false,
    observer: (only) => normObserver({ only }),
    round(w, shape, grid, _, stats) {
      const { rows, columns } = shape;
      if (!stats || stats.n === 0 || stats.columns !== columns || !stats.squares.every(Number.isFinite))
        return quantizeRows(w, rows, columns, grid);
      return byRowParts(w, shape, stats.groups, (part, count, group) => {
        const importance = stats.squares
          .subarray(group * columns, (group + 1) * columns)
          .map((square) => square / stats.n);
        return quantizeRows(part, count, columns, { ...grid, importance });
      });
    },
  });
