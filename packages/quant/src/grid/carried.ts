import { type Grid, type GridBits, middleOf } from "./grid.ts";

/** The width that operators hold a code in: 2, 4 or 8 bits. */
export const carrierOf = (bits: GridBits): 8 | 4 | 2 => (bits > 4 ? 8 : bits > 2 ? 4 : 2);

/**
 * The same values on the grid of the width that operators hold: 3 bits in 4, 5 to 7 in 8. Symmetric codes move to
 * the wider grid's middle, others stay where they are, as their zero points do.
 */
export const carried = (grid: Grid): Grid => {
  const bits = carrierOf(grid.bits);
  if (bits === grid.bits) return grid;
  const move = grid.zeroPoints ? 0 : middleOf(bits) - middleOf(grid.bits);
  return { ...grid, bits, packed: undefined, codes: move === 0 ? grid.codes : grid.codes.map((code) => code + move) };
};
