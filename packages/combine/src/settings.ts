import type {
  Calibration,
  Feeds,
  Ort,
  Pass,
  PassKernels,
  ProgressEvent,
  StatsStore,
  Tensor,
  TensorFlow,
  Training,
} from "@espalier/core";
import type { ImportModule } from "./recipe/load-passes.ts";
import type { Recipe, Target } from "./recipe/recipe.ts";
import type { Metrics } from "./report/report.ts";

/** Runs a model once: outputs by name. */
export type Run = (feeds: Feeds) => Promise<Readonly<Record<string, Tensor>>>;

/** What the user has: the exports of a data module. */
export interface Data {
  /** Samples, the same each time it is called. */
  readonly calibration?: Calibration;
  /** Labelled batches, for passes that train. */
  readonly training?: Training;
  /** Scores a model by running it. The first metric is the one that `maxDrop` is about. */
  evaluate?(run: Run): Promise<Metrics> | Metrics;
}

/** Makes kernels when they are wanted, or undefined where there are none. */
export type LazyKernels = () => Promise<PassKernels | undefined>;

/** Loads TensorFlow.js when a pass wants it. */
export type LazyTensorFlow = () => Promise<TensorFlow>;

export interface CompressOptions {
  /** A name, or a recipe as JSON. Default "auto". */
  readonly recipe?: string | Recipe;
  /** Passes as values, in place of a recipe: run in the order of their stages. */
  readonly passes?: readonly Pass[];
  /** onnxruntime-node or onnxruntime-web: calibrates, and measures for targets "node" and "size". */
  readonly ort?: Ort;
  /** onnxruntime-web: measures for target "web". */
  readonly webOrt?: Ort;
  readonly data?: Data;
  /** Where the result is to run: default what the recipe says, else "node". */
  readonly target?: Target;
  /** Replaces the recipe's budget of fidelity; see `Budget.maxDrop`. */
  readonly maxDrop?: number;
  /** False: only compress. No latency, brotli size or fidelity. Default true. */
  readonly measure?: boolean;
  /** Default 0. */
  readonly seed?: number;
  /** Threads of onnxruntime-node. */
  readonly threads?: number;
  /** Kernels of `@espalier/hw-kernels`, or what makes them once a pass quantizes or takes statistics. */
  readonly kernels?: PassKernels | LazyKernels;
  /** Statistics of earlier runs over the same model and data: a second method on them starts at once. */
  readonly stats?: StatsStore;
  /** TensorFlow.js with a backend, or what loads it once a pass trains. */
  readonly tf?: TensorFlow | LazyTensorFlow;
  readonly signal?: AbortSignal;
  readonly progress?: (event: ProgressEvent) => void;
  /** Resolves the modules that recipes name; by default, from this package. */
  readonly importModule?: ImportModule;
}
