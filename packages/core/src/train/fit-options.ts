import { EspalierError } from "../errors.ts";
import type { ProgressEvent, Training } from "../pass.ts";
import type { Checkpoint, EpochResult } from "./checkpoint.ts";
import type { LossName } from "./loss/loss.ts";
import type { Loss } from "./loss/loss-inputs.ts";
import type { TrainingMethod } from "./method.ts";
import type { OptimizerOptions } from "./optimizer/optimizer.ts";

export interface FitOptions {
  readonly training: Training;
  /** Default 1. */
  readonly epochs?: number;
  /** Default: as the data comes. */
  readonly batchSize?: number | undefined;
  /** Default "crossEntropy". */
  readonly loss?: LossName | Loss;
  /** Default Adam at 1e-3, falling to 0 along a cosine. */
  readonly optimizer?: OptimizerOptions;
  readonly seed?: number;
  /** Most that all gradients together may measure, by their L2 norm. */
  readonly clipNorm?: number;
  /** Batches whose gradients are averaged before each update. Default 1. */
  readonly accumulate?: number;
  /** Data to choose the best epoch by; without, that of the least training loss counts as best. */
  readonly validation?: Training;
  /** Epochs without a better score after which training ends. */
  readonly patience?: number;
  /** End with the weights of the best epoch rather than the last. Default: where there is validation data. */
  readonly keepBest?: boolean;
  readonly method?: TrainingMethod;
  /** Weights whose zeros stay zero, by key. */
  readonly keepZeros?: readonly string[];
  readonly resume?: Checkpoint | undefined;
  /** Is given a checkpoint after each epoch, and every `checkpointEvery` updates. */
  readonly checkpoint?: (checkpoint: Checkpoint) => void | Promise<void>;
  readonly checkpointEvery?: number;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: (event: ProgressEvent) => void;
  /** Name of the work in progress events. */
  readonly task?: string;
}

export interface FitResult {
  readonly history: readonly EpochResult[];
  readonly steps: number;
  /** Epoch whose weights the net has now. */
  readonly epoch: number;
  /** Ended early because nothing got better. */
  readonly stoppedEarly: boolean;
  /** The loss was no number: at which update, and where. The net has the weights of the best epoch before. */
  readonly diverged?: { readonly step: number; readonly where: string };
}

/** @throws EspalierError `BAD_OPTION` for numbers out of range */
export const checkOptions = ({ epochs = 1, accumulate = 1, clipNorm = 1, batchSize = 1, patience = 1 }: FitOptions) => {
  for (const [name, value] of Object.entries({ epochs, accumulate, batchSize, patience }))
    if (!(Number.isInteger(value) && value >= 1))
      throw new EspalierError("BAD_OPTION", "core/train", `${name} is ${value}. Give a whole number of 1 or more.`);
  if (!(clipNorm > 0))
    throw new EspalierError("BAD_OPTION", "core/train", `clipNorm is ${clipNorm}. Give a number above 0.`);
};
