import type { Tf, TfTensor } from "../tf.ts";

type Attrs = Readonly<Record<string, unknown>>;

/** How a kernel's gradient is found: a function of TensorFlow.js's registry, with `tf` in hand. */
export interface KernelGradient {
  /** Inputs and outputs that it needs, by their names in the kernel. */
  readonly inputs?: readonly string[];
  readonly output?: boolean;
  /** Of kernels that take a list. */
  readonly all?: boolean;
  /**
   * Gradients by input, each computed when wanted.
   *
   * @param saved the inputs named, then the output
   */
  readonly of: (
    tf: Tf,
    dy: TfTensor,
    saved: readonly TfTensor[],
    attrs: Attrs,
    dys: readonly TfTensor[],
  ) => Readonly<Record<string, () => TfTensor>> | readonly (() => TfTensor)[];
}

/** A gradient for one input x from x, or from the output y. */
export const ofInput = (f: (tf: Tf, dy: TfTensor, x: TfTensor, attrs: Attrs) => TfTensor): KernelGradient => ({
  inputs: ["x"],
  of: (tf, dy, [x], attrs) => ({ x: () => f(tf, dy, x, attrs) }),
});
export const ofOutput = (f: (tf: Tf, dy: TfTensor, y: TfTensor, attrs: Attrs) => TfTensor): KernelGradient => ({
  output: true,
  of: (tf, dy, [y], attrs) => ({ x: () => f(tf, dy, y, attrs) }),
});

/** The gradient with the axes summed over that broadcasting spread. */
export const unspread = (tf: Tf, dy: TfTensor, shape: readonly number[]): TfTensor => {
  const extra = dy.rank - shape.length;
  const axes = dy.shape.flatMap((dim, i) => (i < extra || (shape[i - extra] === 1 && dim !== 1) ? [i] : []));
  return tf.reshape(axes.length === 0 ? dy : tf.sum(dy, axes), [...shape]);
};
