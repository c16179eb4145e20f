export { operators } from "./operators.ts";
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
