import type { ReadHook, Tf, TfTensor, TfVariable, Trainable } from "@espalier/core/train";
import type { Prunable } from "./train-pruned.ts";

/** A variable of one value, or of one for each output of a layer. */
export const variableOf = (tf: Tf, values: Float32Array, shape: readonly number[]): TfVariable => {
  const start = tf.tensor(values, [...shape]);
  const made = tf.variable(start as never) as TfVariable;
  start.dispose();
  return made;
};

/** Shape in which a number for each output broadcasts to a layer's weight as its file has it. */
export const outputShape = ({ layer: { weight } }: Prunable): number[] => {
  const { layout } = weight;
  const own = new Set(layout.order.slice(0, layout.outAxes));
  const plain = layout.split.length === weight.tensor.dims.length;
  return weight.tensor.dims.map((dim, axis) => (plain && own.has(axis) ? dim : 1));
};

/** Nodes see `effective(key, w)` in place of the weights. */
export const weightHook = (
  weights: readonly Prunable[],
  effective: (key: string, w: TfTensor) => TfTensor,
): ReadHook => {
  const keys = new Map(weights.map(({ key, layer }) => [layer.weight.name, key]));
  return (x, { name }) => {
    const key = keys.get(name);
    return key === undefined ? x : effective(key, x);
  };
};

/** Puts what nodes saw into the weights themselves. */
export const settle = (
  net: Trainable,
  weights: readonly Prunable[],
  effective: (key: string, w: TfTensor) => TfTensor,
): void => {
  for (const { key } of weights) {
    const weight = net.weights.get(key);
    if (!weight) continue;
    const next = net.tf.tidy(() => effective(key, weight as TfTensor));
    weight.assign(next as never);
    next.dispose();
  }
};
