import type { Tile } from "./micro.ts";

/** Tiles to choose from; the first of a level is the best on x86 with 16 registers. */
export const tiles: readonly Tile[] = [
  { rows: 4, columns: 8, level: "simd", unroll: 1 },
  { rows: 6, columns: 8, level: "relaxed", unroll: 2 },
  { rows: 4, columns: 8, level: "relaxed", unroll: 1 },
];

export const tileName = ({ rows, columns, level }: Tile): string =>
  `${rows}x${columns}${level === "relaxed" ? " fma" : ""}`;
