export { type Clip, dequantizeRows, type Grid, type GridBits, type GridOptions, type ScaleType } from "./grid/grid.ts";
export { packRows, unpackRows } from "./grid/pack.ts";
export { quantizeRows } from "./grid/quantize-rows.ts";
