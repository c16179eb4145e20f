export type { LayerFilter, Selection } from "@espalier/core";
export { balanceRows, kurtosis } from "./grid/balance.ts";
export { requantizeShift, saturatingAdd } from "./grid/fixed-point.ts";
export { type Clip, dequantizeRows, type Grid, type GridBits, type GridOptions, type ScaleType } from "./grid/grid.ts";
export { packRows, unpackRows } from "./grid/pack.ts";
export { quantizeRows } from "./grid/quantize-rows.ts";
export { quantizeValues } from "./grid/quantize-values.ts";
export { type FormatOptions, formatOptions, type ValueFormat } from "./grid/value-formats.ts";
export { dequantizeValues, type StoredScales, type ValueGrid, valueGridBytes } from "./grid/value-grid.ts";
export { type AciqOptions, aciq } from "./method/aciq.ts";
export { type AdaRoundOptions, adaRound } from "./method/ada-round.ts";
export { type AwqOptions, awq } from "./method/awq.ts";
export { type BiasCorrectOptions, biasCorrect } from "./method/bias-correct.ts";
export { type BinaryMethodOptions, binary } from "./method/binary.ts";
export { type BinaryConnectOptions, binaryConnect } from "./method/binary-connect.ts";
export { type CrossLayerEqualizeOptions, crossLayerEqualize } from "./method/cross-layer-equalize.ts";
export { type DynamicInt8Options, dynamicInt8 } from "./method/dynamic-int8.ts";
export { type FixedPointOptions, fixedPoint } from "./method/fixed-point.ts";
export { type Float16Options, float16 } from "./method/float16.ts";
export { type Fp4Options, fp4 } from "./method/fp4.ts";
export { type Fp8Options, fp8 } from "./method/fp8.ts";
export { type GptqOptions, gptq } from "./method/gptq.ts";
export { type HqqOptions, hqq } from "./method/hqq.ts";
export { type KeepSalientOptions, keepSalient } from "./method/keep-salient.ts";
export { type LsqOptions, lsq } from "./method/lsq.ts";
export { type MixedBudget, type MixedPrecisionOptions, mixedPrecision } from "./method/mixed-precision.ts";
export { type Mxfp4Options, mxfp4 } from "./method/mxfp4.ts";
export { type Nf4Options, nf4 } from "./method/nf4.ts";
export { type Nvfp4Options, nvfp4 } from "./method/nvfp4.ts";
export { type PalettizeOptions, palettize } from "./method/palettize.ts";
export { type ProductQuantizeOptions, productQuantize } from "./method/product-quantize.ts";
export { type QuaRotOptions, quaRot } from "./method/qua-rot.ts";
export { type RtnOptions, rtn } from "./method/rtn.ts";
export { type SignRoundOptions, signRound } from "./method/sign-round.ts";
export { type SmoothQuantOptions, smoothQuant } from "./method/smooth-quant.ts";
export { type StaticInt8Options, staticInt8 } from "./method/static-int8.ts";
export { type TernaryOptions, ternary } from "./method/ternary.ts";
export { type TwnOptions, twn } from "./method/twn.ts";
export { type ZeroQuantOptions, zeroQuant } from "./method/zero-quant.ts";
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
