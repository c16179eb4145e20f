export type { Matrix } from "./algebra/block.ts";
export type { Activation, ActivationFunction } from "./api/activation.ts";
export type { AlgebraKernels } from "./api/algebra.ts";
export type { ConvolutionKernels } from "./api/convolution.ts";
export type { ConvolutionOptions } from "./api/convolution-sizes.ts";
export type { EncodingKernels } from "./api/encoding.ts";
export type { Int8Quantized, IntegerOptions, PackedInt8, RequantizeOptions } from "./api/int8.ts";
export type { LayerKernels, NormOptions } from "./api/layers.ts";
export type { LinearKernels, ProductOptions } from "./api/linear.ts";
export type { BlockPackOptions, BlockQuantized, PackedBlocks, Packing } from "./api/pack.ts";
export type { Packed, PackedKernels } from "./api/packed.ts";
export type { PackedProductOptions } from "./api/packed-product-options.ts";
export type {
  BlockOptions,
  FloatSource,
  QuantizationKernels,
  QuantizedBlocks,
  WeightShape,
} from "./api/quantization.ts";
export type { SparseKernels, SparseMatrix } from "./api/sparse.ts";
export { type Ceilings, measureCeilings } from "./ceilings.ts";
export { type ErrorCode, EspalierError } from "./errors.ts";
export { createKernels, type KernelOptions, type Kernels, type SavedChoices } from "./kernels.ts";
export { type ProbeReport, probe, probeLine } from "./probe/probe.ts";
export type { Gpu } from "./probe/webgpu.ts";
export type { Candidate, Choice, Prefer } from "./runtime/pick.ts";
export type { Handle, Tensor, TensorType } from "./tensor.ts";
