import type { Grid } from "./grid.ts";

/** The columns of one block of a symmetric grid, as a grid with one scale a row. */
export const columnsOf = ({ bits, rows, columns, blockSize, blocks, codes, scales }: Grid, block: number): Grid => {
  const start = block * blockSize;
  const width = Math.min(columns, start + blockSize) - start;
  const cut = new Uint8Array(rows * width);
  for (let row = 0; row < rows; row++)
    cut.set(codes.subarray(row * columns + start, row * columns + start + width), row * width);
  const own = Float32Array.from({ length: rows }, (_, row) => scales[row * blocks + block]!);
  return { bits, rows, columns: width, blockSize: width, blocks: 1, codes: cut, scales: own, zeroPoints: undefined };
};
