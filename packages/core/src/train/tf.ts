import type * as tfjs from "@tensorflow/tfjs-core";

/** `@tensorflow/tfjs-core`, or a package that exports it whole; handed in, never imported. */
export type Tf = typeof tfjs;
/** A tensor of any rank, whose shape is a plain list. */
export interface TfTensor extends tfjs.Tensor {
  readonly shape: number[];
}
export type TfVariable = tfjs.Variable;
export type TfOptimizer = tfjs.Optimizer;
