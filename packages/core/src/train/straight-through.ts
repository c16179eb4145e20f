import type { Tf, TfTensor } from "./tf.ts";

/** Rounded to whole numbers, halves to even; the gradient is that of the identity. Source: arXiv:1308.3432. */
export const roundThrough = (tf: Tf, a: TfTensor): TfTensor =>
  tf.customGrad((v) => ({ value: tf.round(v as TfTensor), gradFunc: (dy: TfTensor) => dy }))(a);

/** `value` of `a` going forward, the gradient of the identity going back. */
export const straightThrough = (tf: Tf, a: TfTensor, value: (a: TfTensor) => TfTensor): TfTensor =>
  tf.customGrad((v) => ({ value: value(v as TfTensor), gradFunc: (dy: TfTensor) => dy }))(a);
