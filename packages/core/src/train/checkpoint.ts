import { EspalierError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import type { TfVariable } from "./tf.ts";
import type { Trainable } from "./trainable.ts";
import { toDevice } from "./value.ts";

/** All that a training needs to go on as if it had not stopped. Plain data: it can be cloned, posted and stored. */
export interface Checkpoint {
  /** Updates made. */
  readonly step: number;
  readonly epoch: number;
  /** Batches of that epoch that are done. */
  readonly batch: number;
  readonly seed: number;
  /** Weights, running statistics and the method's variables by key. */
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly optimizer: ReadonlyMap<string, Tensor>;
  readonly masks: ReadonlyMap<string, Tensor>;
  /** Loss of the epochs that are done, and sum and count of the one that is not. */
  readonly history: readonly EpochResult[];
  readonly partial: readonly [sum: number, count: number];
  readonly best?: { readonly epoch: number; readonly score: number; readonly weights: ReadonlyMap<string, Tensor> };
}

export interface EpochResult {
  readonly epoch: number;
  /** Mean over its batches. */
  readonly loss: number;
  /** On validation data, where there are some. */
  readonly validation?: number;
}

const readAll = async (variables: Iterable<readonly [string, TfVariable]>): Promise<Map<string, Tensor>> => {
  const all = new Map<string, Tensor>();
  for (const [key, variable] of variables)
    all.set(key, { type: "float32", dims: [...variable.shape], data: Float32Array.from(await variable.data()) });
  return all;
};

/** Weights, running statistics and what else is trained, as plain tensors. */
export const snapshot = (net: Trainable, extra: ReadonlyMap<string, TfVariable>): Promise<Map<string, Tensor>> =>
  readAll([...net.weights, ...net.running, ...extra]);

/** Puts a snapshot back. @throws EspalierError `BAD_DATA` where it is of another model */
export const restore = (
  net: Trainable,
  extra: ReadonlyMap<string, TfVariable>,
  weights: ReadonlyMap<string, Tensor>,
): void => {
  for (const [key, variable] of [...net.weights, ...net.running, ...extra]) {
    const found = weights.get(key);
    if (!found || found.dims.join() !== variable.shape.join())
      throw new EspalierError(
        "BAD_DATA",
        "core/train",
        `the checkpoint has ${found ? `dims [${found.dims}]` : "nothing"} for "${key}" [${variable.shape}]. Resume with the model and options that it was made with.`,
      );
    const value = toDevice(net.tf, found);
    variable.assign(value as never);
    value.dispose();
  }
};
