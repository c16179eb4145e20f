import { type Call, has, int, type Operator, string, x } from "../call.ts";
import type { TfTensor } from "../tf.ts";

/** Loss from log probabilities [N, C, …] and classes [N, …], with weights of classes and one to ignore. */
const picked = (call: Call, log: TfTensor): TfTensor => {
  const { tf } = call;
  const labels = tf.cast(x(call, 1), "int32");
  const classes = log.shape[1];
  const ignored = call.node.attributes.has("ignore_index") ? int(call, "ignore_index", 0) : undefined;
  const order = [0, ...log.shape.slice(2).map((_, i) => i + 2), 1];
  const hot = tf.cast(tf.oneHot(labels as never, classes), "float32");
  const each = tf.neg(tf.sum(tf.mul(tf.transpose(log, order), hot), -1));
  let weight = has(call, 2) ? tf.sum(tf.mul(hot, x(call, 2)), -1) : tf.onesLike(each);
  if (ignored !== undefined)
    weight = tf.mul(weight, tf.cast(tf.notEqual(labels, tf.scalar(ignored, "int32")), "float32"));
  const weighed = tf.mul(each, weight);
  const reduction = string(call, "reduction", "mean");
  if (reduction === "none") return weighed;
  return reduction === "sum" ? tf.sum(weighed) : tf.div(tf.sum(weighed), tf.sum(weight));
};

/** log softmax over axis 1. */
const logClasses = (call: Call): TfTensor => {
  const { tf } = call;
  const scores = x(call);
  return tf.sub(scores, tf.logSumExp(scores, 1, true));
};

export const losses: Readonly<Record<string, Operator>> = {
  NegativeLogLikelihoodLoss: (call) => picked(call, x(call)),
  SoftmaxCrossEntropyLoss: (call) => {
    const log = logClasses(call);
    return [picked(call, log), log];
  },
};
