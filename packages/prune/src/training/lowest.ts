import type { Trainable } from "@espalier/core/train";
import { roundHalfEven } from "../half-even.ts";
import { dropLowest } from "../pattern/lowest.ts";
import type { Prunable } from "./train-pruned.ts";

export type TrainScope = "layer" | "global";

/**
 * Ones for the weights that stay when the smallest go, by key: `roundHalfEven(sparsity * n)` of each layer or of all
 * together go, of equal ones the first.
 */
export const keptLargest = async (
  net: Trainable,
  weights: readonly Prunable[],
  sparsity: number,
  scope: TrainScope,
): Promise<Map<string, Float32Array>> => {
  const sizes = new Map<string, Float32Array>();
  for (const { key } of weights)
    sizes.set(key, Float32Array.from((await net.weights.get(key)?.data()) as Float32Array, Math.abs));
  const kept = new Map<string, Float32Array>();
  const mark = (entries: readonly (readonly [string, Float32Array])[]) => {
    const all = new Float32Array(entries.reduce((sum, [, values]) => sum + values.length, 0));
    let at = 0;
    for (const [, values] of entries) {
      all.set(values, at);
      at += values.length;
    }
    const drop = new Uint8Array(all.length);
    dropLowest(all, roundHalfEven(sparsity * all.length), drop);
    at = 0;
    for (const [key, values] of entries) {
      kept.set(
        key,
        Float32Array.from(drop.subarray(at, at + values.length), (gone) => 1 - gone),
      );
      at += values.length;
    }
  };
  if (scope === "global") mark([...sizes]);
  else for (const entry of sizes) mark([entry]);
  return kept;
};

/** Multiplies weights by masks, in place. */
export const applyMasks = (net: Trainable, masks: ReadonlyMap<string, Float32Array>): void => {
  const { tf } = net;
  for (const [key, mask] of masks) {
    const weight = net.weights.get(key);
    if (!weight) continue;
    const next = tf.tidy(() => tf.mul(weight, tf.tensor(mask, weight.shape)));
    weight.assign(next as never);
    next.dispose();
  }
};
