import { type Grid, middleOf } from "./grid.ts";
import { nearest } from "./nearest.ts";

/**
 * The grid with scales of at least `least`, and the codes of the rows that changes taken anew.
 *
 * @param w     [rows, columns], the values that were quantized
 * @param grid  symmetric, one scale a row
 * @param least [rows]
 */
export const withLeastScales = (w: Float32Array, grid: Grid, least: Float32Array): Grid => {
  if (grid.scales.every((scale, row) => scale >= least[row]!)) return grid;
  const [scales, codes, middle] = [grid.scales.slice(), grid.codes.slice(), middleOf(grid.bits)];
  scales.forEach((scale, row) => {
    if (scale >= least[row]!) return;
    scales[row] = least[row]!;
    for (let i = row * grid.columns; i < (row + 1) * grid.columns; i++)
      codes[i] = nearest(w[i]! / scales[row]!) + middle;
  });
  return { ...grid, scales, codes };
};
