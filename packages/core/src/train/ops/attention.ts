import { type Call, dims, float, has, int, type Operator, unsupported, x } from "../call.ts";
import type { Tf, TfTensor } from "../tf.ts";
import { takeRows } from "./take.ts";

/** Added to the score of what must not be seen; `exp` of it is 0. */
const HIDDEN = -1e9;

/** [batch, time, heads · size] -> [batch, heads, time, size] */
const splitHeads = (tf: Tf, a: TfTensor, heads: number): TfTensor => {
  const [batch, time, width] = a.shape;
  return tf.transpose(tf.reshape(a, [batch, time, heads, width / heads]), [0, 2, 1, 3]);
};

const joinHeads = (tf: Tf, a: TfTensor): TfTensor => {
  const [batch, heads, time, size] = a.shape;
  return tf.reshape(tf.transpose(a, [0, 2, 1, 3]), [batch, time, heads * size]);
};

interface Scores {
  readonly scale: number;
  readonly causal: boolean;
  /** Added to the scores; broadcasts to [batch, heads, time, seen]. */
  readonly bias: readonly TfTensor[];
}

/** softmax(q kᵀ · scale + bias) v. Source: arXiv:1706.03762, eq. 1. */
const attend = (tf: Tf, q: TfTensor, k: TfTensor, v: TfTensor, { scale, causal, bias }: Scores): TfTensor => {
  const [batch, heads, time, size] = q.shape;
  const seen = k.shape[2];
  const stack = (a: TfTensor) => tf.reshape(a, [batch * heads, a.shape[2], a.shape[3]]);
  // [batch, heads, time, size] x [batch, heads, seen, size] -> [batch, heads, time, seen]
  let scores = tf.reshape(tf.matMul(stack(q), stack(k), false, true), [batch, heads, time, seen]);
  scores = tf.mul(scores, scale);
  for (const b of bias) scores = tf.add(scores, b);
  if (causal) {
    const hidden = Float32Array.from({ length: time * seen }, (_, i) =>
      (i % seen) - (seen - time) > Math.floor(i / seen) ? HIDDEN : 0,
    );
    scores = tf.add(scores, tf.tensor2d(hidden, [time, seen]));
  }
  const weights = tf.softmax(scores);
  return tf.reshape(tf.matMul(stack(weights), stack(v)), [batch, heads, time, v.shape[3] ?? size]);
};

/** What a mask of keys adds to scores: [batch, seen] of ones and zeros; other forms are refused. */
const maskBias = (call: Call, index: number): TfTensor[] => {
  if (!has(call, index)) return [];
  const { tf } = call;
  const mask = x(call, index);
  if (mask.rank !== 2) throw unsupported(call, `has a mask of ${mask.rank} axes. Give one of [batch, length].`);
  const hidden = tf.mul(tf.sub(1, tf.cast(mask, "float32")), HIDDEN);
  return [tf.reshape(hidden, [mask.shape[0], 1, 1, mask.shape[1]])];
};

const noPast = (call: Call, indices: readonly number[]) => {
  if (indices.some((i) => has(call, i)))
    throw unsupported(call, "keeps a cache of keys. Train the model in the form without a past.");
};

/** com.microsoft.MultiHeadAttention with queries, keys and values apart, [batch, time, heads · size]. */
const multiHeadAttention: Operator = (call) => {
  const { tf } = call;
  noPast(call, [6, 7]);
  if (!has(call, 1) || !has(call, 2) || dims(call).length !== 3 || dims(call, 1).length !== 3)
    throw unsupported(call, "packs queries, keys and values. Split them beforehand.");
  const heads = int(call, "num_heads", 1);
  const biases = has(call, 3) ? tf.split(x(call, 3), [dims(call)[2], dims(call, 1)[2], dims(call, 2)[2]]) : [];
  const [q, k, v] = [0, 1, 2].map((i) => splitHeads(tf, biases[i] ? tf.add(x(call, i), biases[i]) : x(call, i), heads));
  const scale = float(call, "scale", 0) || 1 / Math.sqrt(q.shape[3]);
  const bias = [...maskBias(call, 4), ...(has(call, 5) ? [x(call, 5)] : [])];
  return joinHeads(tf, attend(tf, q, k, v, { scale, causal: int(call, "unidirectional", 0) !== 0, bias }));
};

/** com.microsoft.Attention: one product for queries, keys and values. */
const packedAttention: Operator = (call) => {
  const { tf } = call;
  noPast(call, [4]);
  const [input, weights] = [x(call), x(call, 1)];
  const [batch, time, width] = input.shape;
  const product = tf.matMul(tf.reshape(input, [-1, width]), weights);
  const packed = tf.reshape(has(call, 2) ? tf.add(product, x(call, 2)) : product, [batch, time, -1]);
  const heads = int(call, "num_heads", 1);
  const [q, k, v] = tf.split(packed, 3, 2).map((part) => splitHeads(tf, part, heads));
  const scale = float(call, "scale", 0) || 1 / Math.sqrt(q.shape[3]);
  const bias = [...maskBias(call, 3), ...(has(call, 5) ? [x(call, 5)] : [])];
  return joinHeads(tf, attend(tf, q, k, v, { scale, causal: int(call, "unidirectional", 0) !== 0, bias }));
};

/** Pairs of columns turned by angles that grow with the place. Source: arXiv:2104.09864. */
const rotaryEmbedding: Operator = (call) => {
  const { tf } = call;
  const a = x(call);
  const flat = a.rank === 3;
  const [cos, sin] = [x(call, 2), x(call, 3)];
  const half = cos.shape[1];
  const heads = flat ? int(call, "num_heads", 0) || a.shape[2] / (2 * half) : a.shape[1];
  const split = flat ? splitHeads(tf, a, heads) : a;
  const [, , time, size] = split.shape;
  const given = x(call, 1);
  const places =
    given.size === 1
      ? tf.add(tf.range(0, time, 1, "int32"), tf.reshape(tf.cast(given, "int32"), []))
      : tf.cast(given, "int32");
  const angles = (table: TfTensor) =>
    tf.reshape(takeRows(tf, table, tf.reshape(places, [-1])), [places.rank === 2 ? places.shape[0] : 1, 1, time, half]);
  const [c, s] = [angles(cos), angles(sin)];
  const turned = tf.slice(split, [0, 0, 0, 0], [-1, -1, -1, 2 * half]);
  const rest = tf.slice(split, [0, 0, 0, 2 * half], [-1, -1, -1, size - 2 * half]);
  const interleaved = int(call, "interleaved", 0) !== 0;
  const [batch] = split.shape;
  const [l, r] = interleaved
    ? tf.unstack(tf.reshape(turned, [batch, heads, time, half, 2]), 4)
    : tf.split(turned, 2, 3);
  const [left, right] = [tf.sub(tf.mul(l, c), tf.mul(r, s)), tf.add(tf.mul(l, s), tf.mul(r, c))];
  const both = interleaved
    ? tf.reshape(tf.stack([left, right], 4), [batch, heads, time, 2 * half])
    : tf.concat([left, right], 3);
  const made = size === 2 * half ? both : tf.concat([both, rest], 3);
  return flat ? joinHeads(tf, made) : made;
};

export const attentions: Readonly<Record<string, Operator>> = {
  "com.microsoft:Attention": packedAttention,
  "com.microsoft:MultiHeadAttention": multiHeadAttention,
  "com.microsoft:RotaryEmbedding": rotaryEmbedding,
};
