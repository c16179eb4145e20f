import { checkAborted } from "../abort.ts";
import { definePass } from "../define-pass.ts";
import { EspalierError } from "../errors.ts";
import type { Model } from "../model.ts";
import type { Context, Pass, Training } from "../pass.ts";
import { fit } from "./fit.ts";
import type { FitOptions, FitResult } from "./fit-options.ts";
import type { Tf } from "./tf.ts";
import { type Trainable, type TrainableOptions, trainable } from "./trainable.ts";

/** Metadata of weights that are pruned: their zeros stay. */
const MASKS = "espalier.masks";

/** What passes that train share. */
export interface TrainOptions
  extends TrainableOptions,
    Pick<
      FitOptions,
      | "epochs"
      | "batchSize"
      | "loss"
      | "optimizer"
      | "clipNorm"
      | "accumulate"
      | "patience"
      | "keepBest"
      | "resume"
      | "checkpoint"
      | "checkpointEvery"
    > {
  /** Of batches and of what is random; by default the context's. */
  readonly seed?: number;
  /** The backend of TensorFlow.js: "cpu", "wasm", "webgpu" …; by default the one that is set. */
  readonly backend?: string;
}

/** TensorFlow.js of a context, on the backend that is asked for. @throws EspalierError `MISSING_NEED`, `NOT_FOUND` */
const tfOf = async (ctx: Context, where: string, backend: string | undefined): Promise<Tf> => {
  const tf = ctx.tf as Tf | undefined;
  if (!tf?.variableGrads)
    throw new EspalierError(
      "MISSING_NEED",
      where,
      "needs TensorFlow.js. Install @tensorflow/tfjs-core and a backend of it, and give it as `tf`.",
    );
  if (backend !== undefined && tf.getBackend() !== backend) {
    const set = await tf.setBackend(backend).catch(() => false);
    if (!set)
      throw new EspalierError(
        "NOT_FOUND",
        where,
        `TensorFlow.js has no backend "${backend}". Import it, or leave backend out.`,
      );
  }
  await tf.ready();
  return tf;
};

/** Labelled data of a context. @throws EspalierError `MISSING_NEED` */
const trainingOf = (ctx: Context, where: string): Training => {
  if (ctx.training) return ctx.training;
  throw new EspalierError(
    "MISSING_NEED",
    where,
    "needs labelled data. Export `training({ epoch, rng })` from the data module.",
  );
};

/** Keys of weights whose masks the model notes. */
const maskedKeys = (model: Model): string[] => {
  const text = model.metadata.get(MASKS);
  return text === undefined ? [] : Object.keys(JSON.parse(text) as Record<string, unknown>);
};

/**
 * Trains a model in a pass: what methods are made of.
 *
 * @param run is given the net and how to train it, with what the method adds; what it returns is returned
 */
export const trainModel = async <T>(
  where: string,
  model: Model,
  ctx: Context,
  options: TrainOptions,
  run: (net: Trainable, fitted: (more?: Partial<FitOptions>) => Promise<FitResult>) => Promise<T>,
): Promise<T> => {
  checkAborted(where, ctx.signal);
  const tf = await tfOf(ctx, where, options.backend);
  const training = trainingOf(ctx, where);
  const net = await trainable(tf, model, options);
  const { train: _train, statistics: _statistics, backend: _backend, ...rest } = options;
  try {
    return await run(net, (more = {}) =>
      fit(net, {
        seed: ctx.seed,
        ...rest,
        training,
        keepZeros: maskedKeys(model),
        signal: ctx.signal,
        progress: (event) => ctx.progress(event),
        task: where,
        ...more,
      }),
    );
  } finally {
    net.dispose();
  }
};

const WHERE = "train/fine-tune";

/** Says what a training did: each weight, and how it ended. */
export const reportTrained = (
  where: string,
  ctx: Context,
  net: Trainable,
  { history, diverged, epoch }: FitResult,
  form = "trained",
): void => {
  for (const key of net.weights.keys()) ctx.report({ pass: where, layer: key, action: "changed", form });
  const last = history.at(-1);
  const losses = last
    ? `loss ${history[0].loss.toPrecision(4)} in the first epoch, ${last.loss.toPrecision(4)} in the last`
    : "no epoch ended";
  const bad = diverged
    ? `; no number from step ${diverged.step} on, in ${diverged.where}: kept epoch ${epoch + 1}`
    : "";
  ctx.report({ pass: where, layer: "(all)", action: "note", reason: losses + bad });
};

/**
 * Trains the weights on: healing after pruning or factorizing, or more epochs. Zeros of pruned weights stay zero, integer
 * codes stay as they are, a weight that is used twice stays one.
 *
 * @throws EspalierError `MISSING_NEED` without data or TensorFlow.js, `UNSUPPORTED` naming operators without a gradient,
 *   `BAD_DATA`, `BAD_OPTION`, `DIVERGED`, `ABORTED`
 */
export const fineTune = (options: TrainOptions = {}): Pass =>
  definePass({
    name: WHERE,
    stage: "train",
    traits: { needs: ["training"], preserves: [MASKS] },
    apply: (model, ctx) =>
      trainModel(WHERE, model, ctx, options, async (net, fitted) => {
        const result = await fitted();
        reportTrained(WHERE, ctx, net, result);
        return net.write();
      }),
  });
