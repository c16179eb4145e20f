import type { Tf, TfTensor } from "@espalier/core/train";

/** Codes of a grid: from `low` to `high`. */
export interface Levels {
  readonly low: number;
  readonly high: number;
}

/** -2^(b-1) … 2^(b-1) - 1, or 0 … 2^b - 1. */
export const levelsOf = (bits: number, signed: boolean): Levels =>
  signed ? { low: -(2 ** (bits - 1)), high: 2 ** (bits - 1) - 1 } : { low: 0, high: 2 ** bits - 1 };

/** 2 mean|v| / √high. Source: arXiv:1902.08153, section 2.1. */
export const firstStep = (meanSize: number, { high }: Levels): number => (2 * meanSize) / Math.sqrt(high) || 1;

/**
 * v on the grid of a learned step.
 *
 *     v̂ = round(clip(v / s, low, high)) · s
 *     dv̂/dv = 1 inside the grid, 0 outside      dv̂/ds = round(v/s) - v/s inside, low or high outside, times g
 *
 * @param g 1 / √(count · high), which evens out steps and weights
 * Source: arXiv:1902.08153, eq. 1 to 3 and section 2.2.
 */
export const onLearnedStep = (tf: Tf, v: TfTensor, s: TfTensor, { low, high }: Levels, g: number): TfTensor =>
  tf.customGrad((...given) => {
    const [value, step, save] = given as unknown as [TfTensor, TfTensor, (tensors: TfTensor[]) => void];
    save([value, step]);
    return {
      value: tf.mul(tf.clipByValue(tf.round(tf.div(value, step)), low, high), step),
      gradFunc: (dy: TfTensor, saved: TfTensor[]) => {
        const q = tf.div(saved[0], saved[1]);
        const [below, above] = [tf.lessEqual(q, low), tf.greaterEqual(q, high)];
        const inside = tf.logicalNot(tf.logicalOr(below, above));
        const error = tf.where(inside, tf.sub(tf.round(q), q), tf.clipByValue(q, low, high));
        return [tf.mul(dy, tf.cast(inside, "float32")), tf.mul(tf.sum(tf.mul(dy, error)), g)];
      },
    };
  })(v, s);
