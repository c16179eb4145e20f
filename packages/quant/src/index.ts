export type { LayerFilter, Selection } from "@espalier/core";
export { balanceRows, kurtosis } from "./grid/balance.ts";
export { type Clip, dequantizeRows, type Grid, type GridBits, type GridOptions, type ScaleType } from "./grid/grid.ts";
export { packRows, unpackRows } from "./grid/pack.ts";
export { quantizeRows } from "./grid/quantize-rows.ts";
export { type AdaRoundOptions, adaRound } from "./method/ada-round.ts";
export { type DynamicInt8Options, dynamicInt8 } from "./method/dynamic-int8.ts";
export { type Float16Options, float16 } from "./method/float16.ts";
export { type MixedBudget, type MixedPrecisionOptions, mixedPrecision } from "./method/mixed-precision.ts";
export { type RtnOptions, rtn } from "./method/rtn.ts";
export { type SignRoundOptions, signRound } from "./method/sign-round.ts";
export { type StaticInt8Options, staticInt8 } from "./method/static-int8.ts";
export { optionSchemas } from "./option-schemas.ts";
export { type Calibrator, type Range, rangeOf } from "./range/calibrators.ts";
export { emptyRange, type RangeStats, updateRange } from "./range/histogram.ts";
export { planBytes, type Scheme, schemesFor } from "./schemes.ts";
export { allocateBits, type Choice, type FrontPoint, paretoFront } from "./search/allocate-bits.ts";
export {
  type Runtime,
  type SchemeForm,
  type Speed,
  type Support,
  support,
  supportOf,
  type Target,
  type WeightForm,
} from "./support.ts";
