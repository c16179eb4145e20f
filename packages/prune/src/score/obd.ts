import { type GramStats, gramOf } from "@espalier/core";
import type { Score } from "./score.ts";

/**
 * How much the mean squared output error grows when a weight goes and nothing else changes, halved as in a Taylor series.
 *
 *     s = h_jj w² / 2      h = XᵀX / n      Source: LeCun, Denker and Solla 1989.
 */
export const obdScore: Score<GramStats> = ({ w, rows, columns, groups, stats }) => {
  const diagonals = Array.from({ length: groups }, (_, group) => {
    const { data } = gramOf(stats, group);
    return Float64Array.from({ length: columns }, (_x, j) => data[j * columns + j] / stats.n);
  });
  return Float64Array.from(w, (value, i) => {
    const group = Math.floor((Math.floor(i / columns) * groups) / rows);
    return (diagonals[group][i % columns] * value * value) / 2;
  });
};
