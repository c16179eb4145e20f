export type { Checkpoint, EpochResult } from "./checkpoint.ts";
export { type ByWeight, type DerivativeOptions, fisher, gradients, hessianTop, hessianTrace } from "./derivatives.ts";
export { fineTune, reportTrained, type TrainOptions, trainModel } from "./fine-tune.ts";
export { fit } from "./fit.ts";
export type { FitOptions, FitResult } from "./fit-options.ts";
export { registerGradients } from "./gradients/register.ts";
export { crossEntropy } from "./loss/cross-entropy.ts";
export { type CtcOptions, ctcLoss } from "./loss/ctc.ts";
export type { LossName } from "./loss/loss.ts";
export type { Labels, Loss, LossInputs } from "./loss/loss-inputs.ts";
export { meanSquares } from "./loss/mean-squares.ts";
export type { TrainingMethod, TrainingPlace } from "./method.ts";
export { operators } from "./operators.ts";
export type { OptimizerOptions } from "./optimizer/optimizer.ts";
export { rateAt, type Schedule } from "./optimizer/schedule.ts";
export { optionSchemas, trainSchemas } from "./option-schemas.ts";
export type { Parameter, TrainFilter } from "./parameters.ts";
export type { Read, ReadHook } from "./run-graph.ts";
export { roundThrough, straightThrough } from "./straight-through.ts";
export type { Tf, TfOptimizer, TfTensor, TfVariable } from "./tf.ts";
export {
  type RunOptions,
  type RunResult,
  type Trainable,
  type TrainableOptions,
  type TrainFeeds,
  trainable,
} from "./trainable.ts";
