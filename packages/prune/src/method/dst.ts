import { definePass, type Pass } from "@espalier/core";
import type { Tf, TfTensor } from "@espalier/core/train";
import { outputShape, settle, variableOf, weightHook } from "../training/thresholded.ts";
import { type TrainPruneOptions, trainPruned, traits } from "../training/train-pruned.ts";

export interface DstOptions extends TrainPruneOptions {
  /** Weight of the term that makes thresholds grow. Default 5e-4. */
  readonly alpha?: number;
}

const NAME = "prune/dst";
/** Share of a layer that must stay, below which its thresholds begin anew; looked at every so many steps. */
const LEAST_KEPT = 0.01;
const LOOK_EVERY = 50;

/** 2 - 4|x| up to 0.4, 0.4 up to 1, 0 beyond: a long tail, so that weights come back. Source: arXiv:2005.06870, eq. 4. */
export const stepSlope = (tf: Tf, x: TfTensor): TfTensor => {
  const size = tf.abs(x);
  const near = tf.sub(2, tf.mul(4, size));
  const far = tf.mul(tf.cast(tf.lessEqual(size, 1), "float32"), 0.4);
  return tf.where(tf.lessEqual(size, 0.4), near, far);
};

/** 1 where x > 0, else 0; with `stepSlope` as its derivative. */
const step = (tf: Tf, x: TfTensor): TfTensor =>
  tf.customGrad((v, save) => {
    (save as (tensors: TfTensor[]) => void)([v as TfTensor]);
    return {
      value: tf.cast(tf.greater(v as TfTensor, 0), "float32"),
      gradFunc: (dy: TfTensor, saved: TfTensor[]) => tf.mul(dy, stepSlope(tf, saved[0])),
    };
  })(x);

/**
 * Learns a threshold for each output of each layer with the weights: weights below it are masked, and may come back.
 *
 * Source: Liu et al. 2020, arXiv:2005.06870.
 */
export const dst = ({ alpha = 5e-4, ...options }: DstOptions = {}): Pass =>
  definePass({
    name: NAME,
    stage: "train",
    traits,
    apply: (model, ctx) =>
      trainPruned(NAME, model, ctx, options, async ({ net, weights, fitted }) => {
        const { tf } = net;
        const limits = new Map(
          weights.map((weight) => {
            const shape = outputShape(weight);
            return [weight.key, variableOf(tf, new Float32Array(shape.reduce((n, dim) => n * dim, 1)), shape)];
          }),
        );
        const limitOf = (key: string) => limits.get(key) as TfTensor;
        const masked = (key: string, w: TfTensor) => tf.mul(w, step(tf, tf.sub(tf.abs(w), limitOf(key))));
        const variables = new Map([...limits].map(([key, variable]) => [`t/${key}`, variable]));
        const reset = async (key: string) => {
          const weight = net.weights.get(key) as TfTensor;
          const kept = tf.tidy(() => tf.mean(tf.cast(tf.greater(tf.abs(weight), limitOf(key)), "float32")));
          const [share] = await kept.data();
          kept.dispose();
          if (share > LEAST_KEPT) return;
          const zeros = tf.zeros(limitOf(key).shape);
          limits.get(key)?.assign(zeros as never);
          zeros.dispose();
        };
        try {
          const result = await fitted({
            keepBest: false,
            method: {
              variables,
              hook: weightHook(weights, masked),
              penalty: () => {
                const each = [...limits.values()].map((t): TfTensor => tf.sum(tf.exp(tf.neg(t))));
                return tf.mul(
                  each.reduce((sum, part) => tf.add(sum, part)),
                  alpha,
                );
              },
              decay: (name) => (variables.has(name) ? 0 : undefined),
              async after({ step: at, steps }) {
                if (at % LOOK_EVERY === LOOK_EVERY - 1 && at + LOOK_EVERY < steps)
                  for (const { key } of weights) await reset(key);
              },
            },
          });
          settle(net, weights, masked);
          return result;
        } finally {
          for (const variable of limits.values()) variable.dispose();
        }
      }),
  });
