export { checkAborted } from "./abort.ts";
export * as attrs from "./attrs.ts";
export { makeNode } from "./attrs.ts";
export { chain, missingNeeds, runPass } from "./chain.ts";
export { type ContextOptions, createContext } from "./context.ts";
export { definePass } from "./define-pass.ts";
export { type Draft, edit } from "./edit/edit.ts";
export type { GraphDraft } from "./edit/graph-draft.ts";
export * from "./errors.ts";
export { type FoldOptions, fold } from "./fold/fold.ts";
export * from "./graph.ts";
export { groups } from "./groups/find-groups.ts";
export type { GroupOptions } from "./groups/follow.ts";
export { mask, type Removals, shrink } from "./groups/shrink.ts";
export type * from "./groups.ts";
export { layers } from "./layers/find-layers.ts";
export { type MapLayersOptions, mapLayers } from "./layers/map-layers.ts";
export { replaceWeights, type WeightPlace } from "./layers/replace-weights.ts";
export type * from "./layers.ts";
export { type BrotliOptions, brotliBytes } from "./measure/brotli.ts";
export { classOutputs } from "./measure/class-outputs.ts";
export {
  type CompareOptions,
  type Comparison,
  compareModels,
  type LayerFidelity,
} from "./measure/compare-models.ts";
export { type CountMacsOptions, countMacs, type LayerMacs, type Macs } from "./measure/count-macs.ts";
export { type Fidelity, type FidelityOptions, type FidelitySums, fidelityOf } from "./measure/fidelity.ts";

export {
  type Generated,
  type GeneratedInput,
  type GenerateOptions,
  generateFeeds,
  generateInputs,
} from "./measure/generate-feeds.ts";
export {
  type Latency,
  type LatencyOptions,
  latencyOf,
  type MeasureLatencyOptions,
  measureLatency,
  type Timing,
} from "./measure/latency.ts";
export { numbersOf } from "./measure/numbers.ts";
export { type ModelSize, measureSize, type WeightSize } from "./measure/size.ts";
export type * from "./model.ts";
export { allocate, type Choice } from "./numeric/allocate.ts";
export * from "./numeric/floats.ts";
export * from "./numeric/half.ts";
export { permute } from "./numeric/permute.ts";
export { createRng, type Rng } from "./numeric/rng.ts";
export { type ModelInput, type OpenOptions, openModel } from "./onnx/open.ts";
export { readOnnx, readTensorProto } from "./onnx/read.ts";
export { type SavedModel, type SaveOptions, saveModel } from "./onnx/save.ts";
export { hasExternalData, onnxBytes, streamOnnx, writeOnnx } from "./onnx/write.ts";
export * from "./pass.ts";
export type { BlockCodes, BlockGridOptions, FloatSource, PassKernels, WeightShape } from "./pass-kernels.ts";
export { type EachSegmentOptions, eachSegment, type Treat } from "./run/each-segment.ts";
export { type GramOptions, type GramStats, gramObserver, gramOf, gramReason } from "./run/gram.ts";
export { type InputRows, inputRowsOf, type Visit } from "./run/input-rows.ts";
export { type NormStats, normObserver } from "./run/norms.ts";
export { type ObserveOptions, observe } from "./run/observe.ts";
export type * from "./run/ort.ts";
export { openSession, type Session, type SessionOptions } from "./run/session.ts";
export { type SegmentModelOptions, segmentModel } from "./segments/segment-model.ts";
export { type Segment, type SegmentOptions, segments } from "./segments/segments.ts";
export * from "./select.ts";
export * from "./tensor.ts";
export { type TransformersDtype, transformersDtypes } from "./transformers/dtypes.ts";
export { findModelFile } from "./transformers/find-model-file.ts";
export { type SaveTransformersOptions, saveTransformers } from "./transformers/save-transformers.ts";
export { upgradeOpset } from "./upgrade/upgrade-opset.ts";
