import { checkAborted } from "../abort.ts";
import { EspalierError } from "../errors.ts";
import { createRng } from "../numeric/rng.ts";
import type { LabelledBatch as Batch, Training } from "../pass.ts";
import type { Tensor } from "../tensor.ts";
import { batchesOf } from "./batches.ts";
import { type Checkpoint, type EpochResult, restore, snapshot } from "./checkpoint.ts";
import { whereNotFinite } from "./divergence.ts";
import { checkOptions, type FitOptions, type FitResult } from "./fit-options.ts";
import { clippedGradients } from "./gradient-norm.ts";
import { lossOf } from "./loss/loss.ts";
import type { Loss } from "./loss/loss-inputs.ts";
import { scoresOf } from "./loss/scores.ts";
import type { TrainingMethod, TrainingPlace } from "./method.ts";
import { createOptimizer, type OptimizerOptions } from "./optimizer/optimizer.ts";
import { rateAt } from "./optimizer/schedule.ts";
import type { Tf, TfTensor, TfVariable } from "./tf.ts";
import type { Trainable } from "./trainable.ts";

const ADAM: OptimizerOptions = { kind: "adam", learningRate: 1e-3, schedule: "cosine" };
const SEED_STEP = 7919;

const countBatches = async (training: Training, seed: number, batchSize: number | undefined): Promise<number> => {
  let count = 0;
  for await (const _ of batchesOf(training, { epoch: 0, rng: createRng(seed).fork("epoch 0"), batchSize })) count++;
  if (count > 0) return count;
  throw new EspalierError(
    "BAD_DATA",
    "core/train",
    `the training data has ${batchSize === undefined ? "no batches" : `fewer than ${batchSize} samples`}. Give more, or a smaller batchSize.`,
  );
};

const timeLeft = (started: number, done: number, total: number): string => {
  const seconds = ((performance.now() - started) / done / 1000) * (total - done);
  return seconds < 100 ? `${Math.ceil(seconds)} s left` : `${Math.ceil(seconds / 60)} min left`;
};

/** Gradients of one batch by key, and its loss. */
const gradientsOf = (
  net: Trainable,
  variables: ReadonlyMap<string, TfVariable>,
  place: TrainingPlace,
  batch: Batch,
  options: { readonly loss: Loss; readonly seed: number; readonly method: TrainingMethod },
) => {
  const { tf } = net;
  const { loss, seed, method } = options;
  let running: ReadonlyMap<string, TfTensor> = new Map();
  const { value, grads } = tf.variableGrads(
    () => {
      const scores = scoresOf(net, batch.feeds, { training: true, seed, hook: method.hook });
      running = scores.running;
      const own = loss({ tf, ...scores, labels: batch.labels });
      return (method.penalty ? tf.add(own, method.penalty(place)) : own) as never;
    },
    [...variables.values()] as never[],
  );
  const byKey = new Map<string, TfTensor>();
  for (const [key, variable] of variables) if (grads[variable.name]) byKey.set(key, grads[variable.name] as TfTensor);
  return { loss: value as TfTensor, gradients: byKey, running };
};

const meanLoss = async (
  net: Trainable,
  data: Training,
  loss: Loss,
  options: { seed: number; batchSize: number | undefined; method: TrainingMethod },
) => {
  const { seed, batchSize, method } = options;
  let [sum, count] = [0, 0];
  for await (const batch of batchesOf(data, { epoch: 0, rng: createRng(seed).fork("validation"), batchSize })) {
    const value = net.tf.tidy(() =>
      loss({ tf: net.tf, ...scoresOf(net, batch.feeds, { hook: method.hook }), labels: batch.labels }),
    );
    sum += (await value.data())[0];
    value.dispose();
    count++;
  }
  if (count === 0)
    throw new EspalierError("BAD_DATA", "core/train", "the validation data has no batches. Give at least one.");
  return sum / count;
};

const add = (tf: Tf, total: Map<string, TfTensor>, more: ReadonlyMap<string, TfTensor>, weight: number) => {
  for (const [key, gradient] of more) {
    const before = total.get(key);
    const next = tf.tidy(() => {
      const scaled = weight === 1 ? gradient : tf.mul(gradient, weight);
      return before ? tf.add(before, scaled) : tf.clone(scaled);
    });
    before?.dispose();
    gradient.dispose();
    total.set(key, next as TfTensor);
  }
};

/** Masks of the weights' zeros. */
const zerosOf = (net: Trainable, keys: readonly string[]): Map<string, TfTensor> => {
  const { tf } = net;
  return new Map(
    keys.flatMap((key) => {
      const weight = net.weights.get(key);
      return weight ? [[key, tf.tidy(() => tf.cast(tf.notEqual(weight, 0), "float32")) as TfTensor] as const] : [];
    }),
  );
};

const keepMasks = async (tf: Tf, weights: ReadonlyMap<string, TfVariable>, masks: ReadonlyMap<string, TfTensor>) => {
  for (const [key, mask] of masks) {
    const weight = weights.get(key);
    if (!weight) continue;
    const kept = tf.mul(weight, mask);
    weight.assign(kept as never);
    kept.dispose();
  }
};

/**
 * Trains a net in place: seeded batches, a schedule, masks kept, the best epoch kept where that is asked for.
 *
 * The same data, options and seed give the same weights, also where a checkpoint was resumed in between. No tensor is left
 * over. A loss that is no number ends the training: the weights of the best epoch come back, and `diverged` says where it
 * began.
 *
 * @throws EspalierError `BAD_DATA` for empty or bad data, `BAD_OPTION`, `ABORTED` (a checkpoint is given first),
 *   `DIVERGED` where the loss is no number before the first epoch ended
 */
export const fit = async (net: Trainable, options: FitOptions): Promise<FitResult> => {
  checkOptions(options);
  const { tf } = net;
  const {
    training,
    epochs = 1,
    batchSize,
    seed = 0,
    clipNorm,
    accumulate = 1,
    validation,
    patience,
    method = {},
  } = options;
  const { optimizer: rule = ADAM, resume, checkpoint, checkpointEvery, signal, progress = () => undefined } = options;
  const { task = "core/train", keepBest = validation !== undefined } = options;
  const loss = lossOf(options.loss ?? "crossEntropy");
  const extra = method.variables ?? new Map<string, TfVariable>();
  const variables = new Map([...net.weights, ...extra]);
  const optimizer = createOptimizer(tf, variables, rule);
  const masks = zerosOf(net, options.keepZeros ?? []);
  const history: EpochResult[] = [...(resume?.history ?? [])];
  let [step, best]: [number, Checkpoint["best"]] = [resume?.step ?? 0, resume?.best];
  let partial: [number, number] = [resume?.partial[0] ?? 0, resume?.partial[1] ?? 0];
  const pending: TfTensor[] = [];
  const total = new Map<string, TfTensor>();
  const saved = async (epoch: number, batch: number): Promise<Checkpoint> => {
    const plain = new Map<string, Tensor>();
    for (const [key, mask] of masks)
      plain.set(key, { type: "float32", dims: mask.shape, data: Float32Array.from(await mask.data()) });
    const weights = await snapshot(net, extra);
    const state = await optimizer.save();
    return {
      step,
      epoch,
      batch,
      seed,
      weights,
      optimizer: state,
      masks: plain,
      history: [...history],
      partial,
      ...(best && { best }),
    };
  };
  try {
    const each = await countBatches(training, seed, batchSize);
    const perEpoch = Math.ceil(each / accumulate);
    const steps = perEpoch * epochs;
    if (resume) {
      restore(net, extra, resume.weights);
      await optimizer.load(resume.optimizer);
      for (const [key, mask] of resume.masks) {
        masks.get(key)?.dispose();
        masks.set(key, tf.tensor(mask.data as Float32Array, [...mask.dims]) as TfTensor);
      }
    }
    const [started, first] = [performance.now(), step];
    progress({ kind: "start", task, total: steps });
    let stoppedEarly = false;
    for (let epoch = resume?.epoch ?? 0; epoch < epochs && !stoppedEarly; epoch++) {
      let [batchIndex, gathered] = [0, 0];
      const done = epoch === resume?.epoch ? resume.batch : 0;
      if (done === 0) partial = [0, 0];
      const place = (): TrainingPlace => ({ step, steps, epoch, epochs, net, masks });
      for await (const batch of batchesOf(training, {
        epoch,
        rng: createRng(seed).fork(`epoch ${epoch}`),
        batchSize,
      })) {
        batchIndex++;
        if (batchIndex <= done) continue;
        if (signal?.aborted) {
          if (gathered === 0) await checkpoint?.(await saved(epoch, batchIndex - 1));
          checkAborted(task, signal);
        }
        if (gathered === 0) await method.before?.(place());
        const made = gradientsOf(net, variables, place(), batch, {
          loss,
          seed: seed + SEED_STEP * step + gathered,
          method,
        });
        const value = (await made.loss.data())[0];
        made.loss.dispose();
        pending.push(...made.gradients.values(), ...made.running.values());
        if (!Number.isFinite(value)) {
          const where = await whereNotFinite(net, batch.feeds, method.hook);
          if (!best)
            throw new EspalierError(
              "DIVERGED",
              task,
              `the loss is ${value} at step ${step + 1}, and values stop being finite in ${where}. Lower the learning rate (${rule.learningRate}), or set clipNorm.`,
            );
          restore(net, extra, best.weights);
          return { history, steps: step, epoch: best.epoch, stoppedEarly: false, diverged: { step: step + 1, where } };
        }
        partial = [partial[0] + value, partial[1] + 1];
        net.setRunning(made.running);
        const left = Math.min(accumulate, each - (batchIndex - 1 - gathered));
        add(tf, total, made.gradients, 1 / left);
        pending.length = 0;
        gathered++;
        if (gathered < left) continue;
        const gradients = clippedGradients(tf, total, masks, clipNorm);
        for (const gradient of total.values()) gradient.dispose();
        total.clear();
        optimizer.apply(
          gradients,
          rule.learningRate * rateAt(rule.schedule ?? "constant", step, steps, epoch),
          method.decay,
        );
        for (const gradient of gradients.values()) gradient.dispose();
        if (masks.size > 0) {
          await keepMasks(tf, net.weights, masks);
          await optimizer.mask(masks);
        }
        await method.after?.(place());
        step++;
        gathered = 0;
        const note = `epoch ${epoch + 1}/${epochs}, loss ${(partial[0] / partial[1]).toPrecision(4)}, ${timeLeft(started, step - first, steps - first)}`;
        progress({ kind: "step", task, done: step, total: steps, note });
        if (checkpointEvery !== undefined && step % checkpointEvery === 0)
          await checkpoint?.(await saved(epoch, batchIndex));
      }
      for (const gradient of total.values()) gradient.dispose();
      total.clear();
      const mean = partial[0] / partial[1];
      const checked = validation && (await meanLoss(net, validation, loss, { seed, batchSize, method }));
      history.push({ epoch, loss: mean, ...(checked !== undefined && { validation: checked }) });
      const score = checked ?? mean;
      if (!best || score < best.score) best = { epoch, score, weights: await snapshot(net, extra) };
      stoppedEarly = patience !== undefined && epoch - best.epoch >= patience && epoch + 1 < epochs;
      progress({
        kind: "note",
        task,
        text: `epoch ${epoch + 1}/${epochs}  loss ${mean.toPrecision(4)}${checked === undefined ? "" : `  validation ${checked.toPrecision(4)}`}`,
      });
      partial = [0, 0];
      await checkpoint?.(await saved(epoch + 1, 0));
    }
    progress({ kind: "end", task });
    const last = history.length - 1;
    if (keepBest && best && best.epoch !== last) restore(net, extra, best.weights);
    return { history, steps: step, epoch: keepBest && best ? best.epoch : last, stoppedEarly };
  } finally {
    for (const tensor of pending) if (!tensor.isDisposed) tensor.dispose();
    for (const tensor of [...total.values(), ...masks.values()]) tensor.dispose();
    optimizer.dispose();
  }
};
