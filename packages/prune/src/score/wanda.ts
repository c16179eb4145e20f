import type { NormStats } from "@espalier/core";
import type { Score } from "./score.ts";

/**
 * |w| times the size of what it meets.
 *
 *     S_ij = |w_ij| ‖x_j‖₂ / √n
 *
 * S_ij² is how much the mean squared output error grows when w_ij alone goes. Source: arXiv:2306.11695, eq. 1.
 */
export const wandaScore: Score<NormStats> = ({ w, rows, columns, groups, stats }) => {
  const sizes = Float64Array.from(stats.squares, (sum) => Math.sqrt(sum / stats.n));
  const scores = new Float32Array(w.length);
  for (let row = 0, at = 0; row < rows; row++) {
    const base = Math.floor((row * groups) / rows) * columns;
    for (let column = 0; column < columns; column++, at++) scores[at] = Math.abs(w[at]) * sizes[base + column];
  }
  return scores;
};
