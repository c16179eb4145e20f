import type { ReadHook } from "./run-graph.ts";
import type { TfTensor, TfVariable } from "./tf.ts";
import type { Trainable } from "./trainable.ts";

/** Where a training is. */
export interface TrainingPlace {
  /** From 0, over all epochs. */
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly epochs: number;
  readonly net: Trainable;
  /** Weights that a mask [dims of the weight] of ones and zeros keeps at zero, with what the optimizer remembers of them. */
  readonly masks: Map<string, TfTensor>;
}

/** What a method adds to plain training: quantizers, thresholds, masks, penalties. */
export interface TrainingMethod {
  /** Trained beside the weights of the model, under names of their own. */
  readonly variables?: ReadonlyMap<string, TfVariable>;
  /** What nodes see in place of the values that they read. */
  readonly hook?: ReadHook;
  /** Added to the loss. */
  penalty?(place: TrainingPlace): TfTensor;
  /** A weight decay of its own for a variable or weight. */
  decay?(name: string): number | undefined;
  /** Before and after each update, outside of any tidy. */
  before?(place: TrainingPlace): void | Promise<void>;
  after?(place: TrainingPlace): void | Promise<void>;
}
