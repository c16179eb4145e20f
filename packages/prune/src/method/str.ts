import { definePass, type Pass } from "@espalier/core";
import type { TfTensor } from "@espalier/core/train";
import { settle, variableOf, weightHook } from "../training/thresholded.ts";
import { type TrainPruneOptions, trainPruned, traits } from "../training/train-pruned.ts";

export interface StrOptions extends TrainPruneOptions {
  /** Where every layer's s begins: the lower, the denser at first. Default -6. */
  readonly start?: number;
  /** Weight decay of s, which sets how sparse the layers become; the optimizer's where absent. */
  readonly thresholdDecay?: number;
  /** The threshold as a function of s: of convolutional nets, or "exp" of recurrent ones. Default "sigmoid". */
  readonly threshold?: "sigmoid" | "exp";
}

const NAME = "prune/str";

/**
 * Learns a threshold for each layer with the weights: nodes see sign(w) · relu(|w| - g(s)), and so do the files in the end.
 *
 * Source: Kusupati et al. 2020, arXiv:2002.03231, eq. 5.
 */
export const str = ({ start = -6, thresholdDecay, threshold = "sigmoid", ...options }: StrOptions = {}): Pass =>
  definePass({
    name: NAME,
    stage: "train",
    traits,
    apply: (model, ctx) =>
      trainPruned(NAME, model, ctx, options, async ({ net, weights, fitted }) => {
        const { tf } = net;
        const s = new Map(weights.map(({ key }) => [key, variableOf(tf, Float32Array.of(start), [])]));
        const soft = (key: string, w: TfTensor): TfTensor => {
          const limit = tf[threshold](s.get(key) as TfTensor);
          return tf.mul(tf.sign(w), tf.relu(tf.sub(tf.abs(w), limit)));
        };
        const variables = new Map([...s].map(([key, variable]) => [`s/${key}`, variable]));
        try {
          const result = await fitted({
            method: {
              variables,
              hook: weightHook(weights, soft),
              decay: (name) => (variables.has(name) ? thresholdDecay : undefined),
            },
          });
          settle(net, weights, soft);
          return result;
        } finally {
          for (const variable of s.values()) variable.dispose();
        }
      }),
  });
