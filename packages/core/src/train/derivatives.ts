import { EspalierError } from "../errors.ts";
import { createRng } from "../numeric/rng.ts";
import type { LabelledBatch as Batch, Training } from "../pass.ts";
import { sizeOf } from "../tensor.ts";
import { batchesOf } from "./batches.ts";
import { type LossName, lossOf } from "./loss/loss.ts";
import type { Loss } from "./loss/loss-inputs.ts";
import { scoresOf } from "./loss/scores.ts";
import type { Trainable } from "./trainable.ts";

export interface DerivativeOptions {
  readonly training: Training;
  readonly loss?: LossName | Loss;
  readonly batchSize?: number;
  readonly seed?: number;
  /** Batches that are looked at; all by default. */
  readonly batches?: number;
}

/** Values by the key of a weight, in the order in which its file has them. */
export type ByWeight = ReadonlyMap<string, Float32Array>;

/** Gradients of the loss of one batch, without batch statistics or dropout. */
const gradientsAt = async (
  net: Trainable,
  { feeds, labels }: Batch,
  loss: Loss,
): Promise<Map<string, Float32Array>> => {
  const { tf } = net;
  const { value, grads } = tf.variableGrads(() => loss({ tf, ...scoresOf(net, feeds), labels }) as never, [
    ...net.weights.values(),
  ] as never[]);
  value.dispose();
  const found = new Map<string, Float32Array>();
  for (const [key, weight] of net.weights) {
    const gradient = grads[weight.name];
    found.set(key, gradient ? Float32Array.from(await gradient.data()) : new Float32Array(weight.size));
    gradient?.dispose();
  }
  return found;
};

async function* batchesFor({ training, batchSize, seed = 0, batches = Number.POSITIVE_INFINITY }: DerivativeOptions) {
  let count = 0;
  for await (const batch of batchesOf(training, { epoch: 0, rng: createRng(seed).fork("epoch 0"), batchSize })) {
    if (count++ >= batches) return;
    yield batch;
  }
  if (count === 0)
    throw new EspalierError("BAD_DATA", "core/train", "the training data has no batches. Give at least one.");
}

/** Gradients of the mean loss by each trained weight, one set for each batch. */
export async function* gradients(net: Trainable, options: DerivativeOptions): AsyncGenerator<ByWeight> {
  const loss = lossOf(options.loss ?? "crossEntropy");
  for await (const batch of batchesFor(options)) yield await gradientsAt(net, batch, loss);
}

/**
 * The diagonal of the empirical Fisher information: the mean over batches of squared gradients. Batches of one sample give
 * that of samples.
 */
export const fisher = async (net: Trainable, options: DerivativeOptions): Promise<ByWeight> => {
  const sums = new Map<string, Float32Array>();
  let count = 0;
  for await (const found of gradients(net, options)) {
    count++;
    for (const [key, gradient] of found) {
      const sum = sums.get(key) ?? new Float32Array(gradient.length);
      sums.set(key, sum);
      for (let i = 0; i < sum.length; i++) sum[i] += gradient[i] ** 2;
    }
  }
  for (const sum of sums.values()) for (let i = 0; i < sum.length; i++) sum[i] /= count;
  return sums;
};

const norm = (v: Float32Array) => Math.sqrt(v.reduce((sum, value) => sum + value * value, 0));
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/** Share of a weight's size by which it is moved to measure curvature: float32 has 7 digits, and half of them go. */
const MOVE = 3e-3;

/**
 * H v of one weight, by central differences of gradients: (g(w + e v) - g(w - e v)) / 2e. TensorFlow.js has no second
 * derivatives of most kernels.
 */
const hessianProduct = async (net: Trainable, key: string, v: Float32Array, batches: readonly Batch[], loss: Loss) => {
  const { tf } = net;
  const weight = net.weights.get(key)!;
  const before = Float32Array.from(await weight.data());
  const length = norm(v) || 1;
  const step = (MOVE * Math.max(norm(before), 1e-3 * Math.sqrt(before.length))) / length;
  const at = async (by: number) => {
    const moved = tf.tensor(
      before.map((w, i) => w + by * v[i]),
      [...weight.shape],
    );
    weight.assign(moved as never);
    moved.dispose();
    const sum = new Float64Array(before.length);
    for (const batch of batches)
      (await gradientsAt(net, batch, loss)).get(key)?.forEach((g, i) => {
        sum[i] += g / batches.length;
      });
    return sum;
  };
  const [above, below] = [await at(step), await at(-step)];
  const back = tf.tensor(before, [...weight.shape]);
  weight.assign(back as never);
  back.dispose();
  return Float32Array.from(above, (value, i) => (value - below[i]) / (2 * step));
};

const held = async (options: DerivativeOptions): Promise<Batch[]> => {
  const all: Batch[] = [];
  for await (const batch of batchesFor(options)) all.push(batch);
  return all;
};

/**
 * The trace of the Hessian of the mean loss by each trained weight: the mean of zᵀ H z over probes z of ±1. Its variance is
 * 2 (‖H‖² - Σ H_ii²) / probes. Source: Hutchinson 1989, doi:10.1080/03610918908812806.
 */
export const hessianTrace = async (
  net: Trainable,
  { probes = 8, ...options }: DerivativeOptions & { readonly probes?: number },
): Promise<ReadonlyMap<string, number>> => {
  const batches = await held(options);
  const loss = lossOf(options.loss ?? "crossEntropy");
  const rng = createRng(options.seed ?? 0);
  const traces = new Map<string, number>();
  for (const [key, weight] of net.weights) {
    const draw = rng.fork(key);
    let sum = 0;
    for (let p = 0; p < probes; p++) {
      const z = Float32Array.from({ length: sizeOf(weight.shape) }, () => (draw.uniform() < 0.5 ? -1 : 1));
      sum += dot(z, await hessianProduct(net, key, z, batches, loss));
    }
    traces.set(key, sum / probes);
  }
  return traces;
};

const CLOSE = 1e-3;

/** The largest eigenvalue (by size) of the Hessian by each trained weight: v ← H v / ‖H v‖ until it changes by less than 0.1 %. */
export const hessianTop = async (
  net: Trainable,
  { iterations = 50, ...options }: DerivativeOptions & { readonly iterations?: number },
): Promise<ReadonlyMap<string, number>> => {
  const batches = await held(options);
  const loss = lossOf(options.loss ?? "crossEntropy");
  const rng = createRng(options.seed ?? 0);
  const found = new Map<string, number>();
  for (const [key, weight] of net.weights) {
    const draw = rng.fork(key);
    let v = Float32Array.from({ length: sizeOf(weight.shape) }, () => draw.normal());
    let value = 0;
    for (let i = 0; i < iterations; i++) {
      const length = norm(v) || 1;
      v = v.map((x) => x / length);
      const product = await hessianProduct(net, key, v, batches, loss);
      const next = dot(v, product);
      const near = Math.abs(next - value) <= CLOSE * Math.abs(next);
      value = next;
      if (near) break;
      v = product;
    }
    found.set(key, value);
  }
  return found;
};
