import type { Layer } from "@espalier/core";
import { badScores } from "../errors.ts";
import type { MatrixView } from "../matrix-view.ts";

/** The weight of a layer on its way to being scored. */
export interface Weights<Stats = unknown> {
  readonly layer: Layer;
  /** [rows, columns]: an output's weights in a row; of a transposed convolution, an output's and tap's */
  readonly w: Float32Array;
  readonly rows: number;
  readonly columns: number;
  readonly groups: number;
  /** Values in the weight's own order, [out, in, ...kernel], as [rows, columns]. */
  toRows(values: Float32Array): Float32Array;
  /** What the layer's input was like, for scores that ask for it. */
  readonly stats: Stats;
}

/** One number for each weight, [rows, columns]: the lowest go first. */
export type Score<Stats = unknown> = (weights: Weights<Stats>) => Float32Array | Float64Array;

export const weightsOf = <Stats>(layer: Layer, view: MatrixView, w: Float32Array, stats: Stats): Weights<Stats> => ({
  layer,
  w,
  rows: view.rows,
  columns: view.columns,
  groups: view.groups,
  toRows: view.toRows,
  stats,
});

/** Scores as float32, checked. @throws EspalierError `BAD_OPTION` where they are not as many as the weights, or NaN */
export const scoresOf = <Stats>(where: string, score: Score<Stats>, weights: Weights<Stats>): Float32Array => {
  const found = score(weights);
  const { name } = weights.layer;
  if (found?.length !== weights.w.length)
    throw badScores(where, name, `has ${found?.length} numbers for ${weights.w.length} weights`);
  const scores = found instanceof Float32Array ? found : Float32Array.from(found);
  const bad = scores.findIndex(Number.isNaN);
  if (bad >= 0) throw badScores(where, name, `is NaN for weight ${bad}`);
  return scores;
};
