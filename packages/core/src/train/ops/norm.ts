import { axisOf, type Call, dims, float, has, image, int, ints, isImage, type Operator, x } from "../call.ts";
import type { Tf, TfTensor } from "../tf.ts";
import { channelsLast } from "../value.ts";

const EPSILON = 1e-5;

/** (a - mean) / √(variance + ε) over some axes. */
const standardized = (tf: Tf, a: TfTensor, axes: number[], epsilon: number): TfTensor => {
  const centred = tf.sub(a, tf.mean(a, axes, true));
  return tf.mul(centred, tf.rsqrt(tf.add(tf.mean(tf.square(centred), axes, true), epsilon)));
};

/** A vector over channels, as it broadcasts to [N, C, …]. */
const channels = (tf: Tf, v: TfTensor, rank: number): TfTensor =>
  tf.reshape(v, [1, v.size, ...Array<number>(Math.max(0, rank - 2)).fill(1)]);

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/**
 * With the statistics of the batch where the run is a training one or the node says so, and the running ones updated as
 * ONNX has it: running · momentum + batch · (1 - momentum), with the population's variance.
 */
const batchNormalization: Operator = (call) => {
  const { tf, scope, node } = call;
  const last = isImage(call);
  const a = last ? image(call) : x(call);
  const epsilon = float(call, "epsilon", EPSILON);
  const spread = (v: TfTensor) => (last ? v : channels(tf, v, a.rank));
  const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((i) => x(call, i));
  const close = (made: TfTensor) => (last ? channelsLast(made) : made);
  const batch = int(call, "training_mode", 0) !== 0 || (scope.training && !scope.frozen);
  if (!batch) {
    const factor = tf.mul(gamma, tf.rsqrt(tf.add(variance, epsilon)));
    return close(tf.add(tf.mul(a, spread(factor)), spread(tf.sub(beta, tf.mul(mean, factor)))));
  }
  const axes = range(0, a.rank).filter((axis) => axis !== (last ? a.rank - 1 : 1));
  const batchMean = tf.mean(a, axes, true);
  const centred = tf.sub(a, batchMean);
  const batchVariance = tf.mean(tf.square(centred), axes, true);
  const momentum = float(call, "momentum", 0.9);
  const moved = (running: TfTensor, batch: TfTensor) =>
    tf.add(tf.mul(running, momentum), tf.mul(tf.reshape(batch, [-1]), 1 - momentum));
  const [nextMean, nextVariance] = [moved(mean, batchMean), moved(variance, batchVariance)];
  scope.update(node.inputs[3], nextMean);
  scope.update(node.inputs[4], nextVariance);
  const normal = tf.mul(centred, tf.rsqrt(tf.add(batchVariance, epsilon)));
  const made = tf.add(tf.mul(normal, spread(gamma)), spread(beta));
  return node.outputs.length > 1 ? [close(made), nextMean, nextVariance] : close(made);
};

const layerNormalization: Operator = (call) => {
  const { tf } = call;
  const a = x(call);
  const normal = standardized(
    tf,
    a,
    range(axisOf(int(call, "axis", -1), a.rank), a.rank),
    float(call, "epsilon", EPSILON),
  );
  const scaled = tf.mul(normal, x(call, 1));
  return has(call, 2) ? tf.add(scaled, x(call, 2)) : scaled;
};

/** a / √(mean a² + ε) · scale over the axes from one on. Source: arXiv:1910.07467. */
const rms = (tf: Tf, a: TfTensor, scale: TfTensor, from: number, epsilon: number) => {
  const square = tf.mean(tf.square(a), range(axisOf(from, a.rank), a.rank), true);
  return tf.mul(tf.mul(a, tf.rsqrt(tf.add(square, epsilon))), scale);
};

const rmsNormalization: Operator = (call) =>
  rms(call.tf, x(call), x(call, 1), int(call, "axis", -1), float(call, "epsilon", EPSILON));

/** Sum of input and residual (and bias), normalized. Outputs: the norm, and the sum as the fourth. */
const skipNormalization =
  (simple: boolean): Operator =>
  (call) => {
    const { tf } = call;
    const bias = simple ? 3 : 4;
    const sum = tf.add(x(call), x(call, 1));
    const a = has(call, bias) ? tf.add(sum, x(call, bias)) : sum;
    const epsilon = float(call, "epsilon", 1e-12);
    const normal = simple
      ? rms(tf, a, x(call, 2), -1, epsilon)
      : tf.mul(standardized(tf, a, [a.rank - 1], epsilon), x(call, 2));
    const made = !simple && has(call, 3) ? tf.add(normal, x(call, 3)) : normal;
    return [made, tf.zerosLike(a), tf.zerosLike(a), a];
  };

/** Groups of channels, each normalized by itself. */
const grouped = (call: Call, groups: number): TfTensor => {
  const { tf } = call;
  const a = x(call);
  const parts = tf.reshape(a, [a.shape[0], groups, -1]);
  return tf.reshape(standardized(tf, parts, [2], float(call, "epsilon", EPSILON)), a.shape);
};

const groupNormalization: Operator = (call) => {
  const { tf } = call;
  const [n, c] = dims(call);
  const [groups, rank] = [int(call, "num_groups", 1), dims(call).length];
  const normal = grouped(call, groups);
  // up to opset 20 there is one factor for each group
  const each = (v: TfTensor) =>
    v.size === c ? v : tf.reshape(tf.tile(tf.reshape(v, [groups, 1]), [1, c / groups]), [c]);
  const [scale, bias] = [each(x(call, 1)), each(x(call, 2))];
  return tf.reshape(tf.add(tf.mul(normal, channels(tf, scale, rank)), channels(tf, bias, rank)), [
    n,
    ...dims(call).slice(1),
  ]);
};

const instanceNormalization: Operator = (call) => {
  const { tf } = call;
  const rank = dims(call).length;
  const normal = grouped(call, dims(call)[1]);
  return tf.add(tf.mul(normal, channels(tf, x(call, 1), rank)), channels(tf, x(call, 2), rank));
};

const lpNormalization: Operator = (call) => {
  const { tf } = call;
  const a = x(call);
  const axis = axisOf(int(call, "axis", -1), a.rank);
  const size = int(call, "p", 2) === 1 ? tf.sum(tf.abs(a), axis, true) : tf.sqrt(tf.sum(tf.square(a), axis, true));
  return tf.div(a, size);
};

const meanVariance: Operator = (call) => standardized(call.tf, x(call), ints(call, "axes") ?? [0, 2, 3], 1e-9);

const localResponse: Operator = (call) => {
  const { tf } = call;
  const [size, alpha] = [int(call, "size", 1), float(call, "alpha", 1e-4)];
  const a = image(call);
  // sums over neighbouring channels are a product with a band of ones
  const c = a.shape[3];
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  const band = Float32Array.from({ length: c * c }, (_, i) => {
    const offset = Math.floor(i / c) - (i % c);
    return offset >= -before && offset <= after ? 1 : 0;
  });
  const squares = tf.matMul(tf.reshape(tf.square(a), [-1, c]), tf.tensor2d(band, [c, c]));
  const base = tf.add(tf.mul(squares, alpha / size), float(call, "bias", 1));
  return channelsLast(tf.div(a, tf.reshape(tf.pow(base, float(call, "beta", 0.75)), a.shape)));
};

export const norms: Readonly<Record<string, Operator>> = {
  BatchNormalization: batchNormalization,
  GroupNormalization: groupNormalization,
  InstanceNormalization: instanceNormalization,
  LRN: localResponse,
  LayerNormalization: layerNormalization,
  LpNormalization: lpNormalization,
  MeanVarianceNormalization: meanVariance,
  RMSNormalization: rmsNormalization,
  SimplifiedLayerNormalization: rmsNormalization,
  "com.microsoft:SimplifiedLayerNormalization": rmsNormalization,
  "com.microsoft:SkipLayerNormalization": skipNormalization(false),
  "com.microsoft:SkipSimplifiedLayerNormalization": skipNormalization(true),
};
