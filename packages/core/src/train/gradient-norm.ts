import type { Tf, TfTensor } from "./tf.ts";

/** Gradients under their masks, and shortened where all of them together are longer than `limit`; new tensors. */
export const clippedGradients = (
  tf: Tf,
  gradients: ReadonlyMap<string, TfTensor>,
  masks: ReadonlyMap<string, TfTensor>,
  limit: number | undefined,
): Map<string, TfTensor> => {
  const keys = [...gradients.keys()];
  const made = tf.tidy(() => {
    const masked = [...gradients].map(([key, g]): TfTensor => {
      const mask = masks.get(key);
      return mask ? tf.mul(g, mask) : tf.clone(g);
    });
    if (limit === undefined) return masked;
    const squares = masked.map((g) => tf.sum(tf.square(g))).reduce((sum, square) => tf.add(sum, square));
    const factor = tf.minimum(tf.div(limit, tf.add(tf.sqrt(squares), 1e-6)), 1);
    return masked.map((g): TfTensor => tf.mul(g, factor));
  });
  return new Map(keys.map((key, i) => [key, made[i]]));
};
