import type { Layer } from "./layers.ts";
import type { Model } from "./model.ts";
import type { Rng } from "./numeric/rng.ts";
import type { PassKernels } from "./pass-kernels.ts";
import type { Ort } from "./run/ort.ts";
import type { Tensor } from "./tensor.ts";

/** When a pass runs in a recipe; the order of this list is the order of the work. */
export const stages = ["structure", "train", "factor", "sparsify", "prepare", "quantize", "correct", "encode"] as const;
export type Stage = (typeof stages)[number];

/** What a pass asks for and promises: data, checked before anything runs. */
export interface Traits {
  /** What `Context` must hold. */
  readonly needs?: readonly ("calibration" | "ort" | "training")[];
  readonly changesShapes?: boolean;
  /** Metadata keys (masks, grids) that hold after the pass if they held before. */
  readonly preserves?: readonly string[];
  /** Names of passes, or prefixes that end in `/`, that must not stand in the same recipe. */
  readonly conflictsWith?: readonly string[];
}

/** Streaming statistics of the input of each layer. `Stats` has fixed size; activations are never collected. */
export interface LayerObserver<Stats> {
  /** What the statistics are, options included, for `Context.stats` to keep them under; absent: they are not kept. */
  readonly key?: string;
  /** Tells it from a `ValueObserver`. */
  readonly values?: undefined;
  /** Empty statistics of a layer, or undefined to leave the layer alone. */
  init(layer: Layer): Stats | undefined;
  /** Folds one activation in, by the context's kernels; returns new statistics, or changes `stats` and returns nothing. */
  update(stats: Stats, x: Tensor, layer: Layer, kernels?: PassKernels): Stats | undefined | void;
}

/** The same for any values of the main graph, by name: what static activation quantization needs. */
export interface ValueObserver<Stats> {
  values(model: Model): readonly string[] | Promise<readonly string[]>;
  init(value: string): Stats;
  update(stats: Stats, x: Tensor, value: string, kernels?: PassKernels): Stats | undefined | void;
}

export type Observer<Stats> = LayerObserver<Stats> | ValueObserver<Stats>;

/** A compression step: model in, model out. A chain of passes is a pass. */
export interface Pass<Stats = unknown> {
  /** "quant/gptq" */
  readonly name: string;
  readonly stage: Stage;
  readonly traits?: Traits;
  readonly observe?: Observer<Stats>;
  /** @param stats by layer name or value name; empty without `observe` */
  apply(model: Model, ctx: Context, stats: ReadonlyMap<string, Stats>): Model | Promise<Model>;
}

/** One batch: a tensor for each input of the model, by name. */
export type Feeds = Readonly<Record<string, Tensor>>;

/** Some labelled samples: the first axis counts them. Labels: classes, values, or classes with lengths (CTC). */
export interface LabelledBatch {
  readonly feeds: Feeds;
  readonly labels: Tensor | { readonly values: Tensor; readonly lengths: Tensor };
}

/** Labelled data: called for each epoch; `rng` is the same for the same seed and epoch. */
export type Training = (epoch: {
  readonly epoch: number;
  readonly rng: Rng;
}) => AsyncIterable<LabelledBatch> | Iterable<LabelledBatch>;

/** TensorFlow.js as far as the contract knows it; `@espalier/core/train` knows all of it. */
export interface TensorFlow {
  readonly variableGrads: unknown;
}

/** Calibration data: called once for each pass over the data. */
export type Calibration = () => AsyncIterable<Feeds> | Iterable<Feeds>;

export type ProgressEvent =
  | { readonly kind: "start"; readonly task: string; readonly total?: number }
  | {
      readonly kind: "step";
      readonly task: string;
      readonly done: number;
      readonly total?: number;
      readonly note?: string;
    }
  /** A line worth keeping: the loss of an epoch. */
  | { readonly kind: "note"; readonly task: string; readonly text: string }
  | { readonly kind: "end"; readonly task: string };

/** How a runtime runs a stored form, against float32: `unsupported` does not load or fails. */
export type RuntimeSpeed = "fast" | "same" | "slow" | "unsupported";

/** One line of the report: what a pass did with a layer, or why it did nothing. */
export interface ReportEntry {
  readonly pass: string;
  readonly layer: string;
  readonly action: "changed" | "skipped" | "note";
  /** The stored form: "MatMulNBits 4b block 32", "Cast+Mul int8 per channel" … */
  readonly form?: string;
  /** How the form runs: onnxruntime-node on the processor, onnxruntime-web's wasm, its WebGPU. */
  readonly runtimes?: Readonly<Record<"node" | "web" | "webgpu", RuntimeSpeed>>;
  readonly reason?: string;
  readonly bytesBefore?: number;
  readonly bytesAfter?: number;
}

/** Keeps statistics from one run to the next, by a key that tells model, data and kind apart. */
export interface StatsStore {
  get(key: string): Promise<Uint8Array | undefined>;
  set(key: string, bytes: Uint8Array): Promise<void>;
}

/** What a pass is given. Everything heavy is injected. */
export interface Context {
  readonly calibration?: Calibration;
  /** Labelled data, for passes that train. */
  readonly training?: Training;
  /** `@tensorflow/tfjs-core` with a backend, for passes that train. */
  readonly tf?: TensorFlow;
  /** onnxruntime-node or onnxruntime-web. */
  readonly ort?: Ort;
  /** Threads of onnxruntime-node; its own choice where absent. */
  readonly threads?: number;
  /** Fast kernels (`@espalier/hw-kernels`), or undefined: passes work, slower, with none. */
  readonly kernels?: PassKernels;
  /** Statistics of earlier runs over the same model and data; what is not in it is computed, and put there. */
  readonly stats?: StatsStore | undefined;
  readonly seed: number;
  readonly rng: Rng;
  readonly signal?: AbortSignal;
  progress(event: ProgressEvent): void;
  report(entry: ReportEntry): void;
}
