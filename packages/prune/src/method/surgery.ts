import { definePass, type Pass } from "@espalier/core";
import type { TfTensor } from "@espalier/core/train";
import { settle, weightHook } from "../training/thresholded.ts";
import { type TrainPruneOptions, trainPruned, traits } from "../training/train-pruned.ts";

export interface SurgeryOptions extends TrainPruneOptions {
  /** Thresholds lie at 0.9 and 1.1 times mean + c · deviation of |w| at the start. Default 1. */
  readonly c?: number;
  /** Masks are looked at with probability 1 / (1 + gamma · step). Default 1e-3. */
  readonly gamma?: number;
  /** Share of the training after which masks stay. Default 0.75. */
  readonly until?: number;
}

const NAME = "prune/surgery";
const [BELOW, ABOVE] = [0.9, 1.1];

/** 0 below `low`, 1 from `high` on, between them what it was. Source: arXiv:1608.04493, eq. 3. */
export const spliced = (size: number, was: number, low: number, high: number): number => {
  if (size < low) return 0;
  return size >= high ? 1 : was;
};

/**
 * Masks small weights and brings those back that grow again: gradients reach masked weights too.
 *
 * Source: Guo et al. 2016, arXiv:1608.04493.
 */
export const surgery = ({ c = 1, gamma = 1e-3, until = 0.75, ...options }: SurgeryOptions = {}): Pass =>
  definePass({
    name: NAME,
    stage: "train",
    traits,
    apply: (model, ctx) =>
      trainPruned(NAME, model, ctx, options, async ({ net, weights, fitted }) => {
        const { tf } = net;
        const rng = ctx.rng.fork("masks");
        const masks = new Map<string, Float32Array>();
        const tensors = new Map<string, TfTensor>();
        const limits = new Map<string, number>();
        for (const { key } of weights) {
          const sizes = Float32Array.from((await net.weights.get(key)?.data()) as Float32Array, Math.abs);
          const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
          const variance = sizes.reduce((sum, size) => sum + (size - mean) ** 2, 0) / (sizes.length - 1);
          limits.set(key, Math.max(0, mean + c * Math.sqrt(variance)));
          masks.set(key, new Float32Array(sizes.length).fill(1));
        }
        const refresh = async () => {
          for (const { key } of weights) {
            const weight = net.weights.get(key) as TfTensor;
            const [mask, limit] = [masks.get(key) as Float32Array, limits.get(key) as number];
            (await weight.data()).forEach((w, i) => {
              mask[i] = spliced(Math.abs(w), mask[i], BELOW * limit, ABOVE * limit);
            });
            tensors.get(key)?.dispose();
            tensors.set(key, tf.tensor(Float32Array.from(mask), weight.shape) as TfTensor);
          }
        };
        const masked = (key: string, w: TfTensor): TfTensor =>
          tf.customGrad((v) => ({
            value: tf.mul(v as TfTensor, tensors.get(key) as TfTensor),
            gradFunc: (dy: TfTensor) => dy,
          }))(w);
        try {
          await refresh();
          const result = await fitted({
            keepBest: false,
            method: {
              hook: weightHook(weights, masked),
              async before({ step, steps }) {
                if (step < until * steps && rng.uniform() < 1 / (1 + gamma * step)) await refresh();
              },
            },
          });
          settle(net, weights, masked);
          return result;
        } finally {
          for (const tensor of tensors.values()) tensor.dispose();
        }
      }),
  });
