/** Edge of the squares that are turned at a time: two fit the first cache. */
const TILE = 16;

/** A transposed copy of from [rows, columns]. */
export const transposed = (from: Float64Array, rows: number, columns: number): Float64Array => {
  const to = new Float64Array(rows * columns);
  for (let i0 = 0; i0 < rows; i0 += TILE)
    for (let j0 = 0; j0 < columns; j0 += TILE) {
      const [i1, j1] = [Math.min(rows, i0 + TILE), Math.min(columns, j0 + TILE)];
      for (let i = i0; i < i1; i++) for (let j = j0; j < j1; j++) to[j * rows + i] = from[i * columns + j]!;
    }
  return to;
};
