import type { Tensor } from "../../tensor.ts";
import type { Tf, TfTensor } from "../tf.ts";
import { badLabels, classesOf } from "./labels.ts";
import type { Loss } from "./loss-inputs.ts";

export interface CtcOptions {
  /** The class that says nothing. */
  readonly blank?: number;
  /** Scores are [T, N, classes] in place of [N, T, classes]. */
  readonly timeMajor?: boolean;
}

/** log 0, finite so that differences stay numbers. */
const IMPOSSIBLE = -1e30;

/** log(eᵃ + eᵇ + eᶜ); where all are impossible, impossible. */
const logSum = (tf: Tf, parts: readonly TfTensor[]): TfTensor => {
  const most = parts.reduce((m, part) => tf.maximum(m, part));
  const sum = parts.map((part) => tf.exp(tf.sub(part, most))).reduce((s, part) => tf.add(s, part));
  return tf.add(most, tf.log(sum));
};

/** Labels with blanks around and between, [N, 2 · longest + 1]. */
const extended = (values: Int32Array, n: number, longest: number, lengths: Int32Array, blank: number) => {
  const states = 2 * longest + 1;
  const classes = new Int32Array(n * states).fill(blank);
  const skips = new Float32Array(n * states).fill(IMPOSSIBLE);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < lengths[i]; k++) {
      const s = i * states + 2 * k + 1;
      classes[s] = values[i * longest + k];
      // from one label to the next without a blank, where they differ
      if (k > 0 && classes[s] !== classes[s - 2]) skips[s] = 0;
    }
  return { states, classes, skips };
};

const shifted = (tf: Tf, alpha: TfTensor, by: number): TfTensor => {
  const [n, states] = alpha.shape;
  if (by >= states) return tf.fill([n, states], IMPOSSIBLE);
  return tf.pad(
    tf.slice(alpha, [0, 0], [n, states - by]),
    [
      [0, 0],
      [by, 0],
    ],
    IMPOSSIBLE,
  );
};

/**
 * Connectionist temporal classification: the mean over the batch of -log p(labels) / length, summed over all paths in log
 * space.
 *
 *     α_t(s) = log y_t(l_s) + log(e^α_{t-1}(s) + e^α_{t-1}(s-1) + [l_s not blank, l_s ≠ l_{s-2}] e^α_{t-1}(s-2))
 *
 * Labels are `{ values: [N, longest], lengths: [N] }`. Source: Graves et al. 2006, doi:10.1145/1143844.1143891, eq. 6.
 *
 * @throws EspalierError `BAD_DATA` for labels out of range, of another shape, or longer than there is time for
 */
export const ctcLoss =
  ({ blank = 0, timeMajor = false }: CtcOptions = {}): Loss =>
  ({ tf, output, labels }) => {
    const given = labels as { values?: Tensor; lengths?: Tensor };
    if (!given.values || !given.lengths)
      throw badLabels("of ctc are { values: [N, longest], lengths: [N] }. Give both.");
    if (output.rank !== 3) throw badLabels(`of ctc need scores of three axes, and the model gives [${output.shape}].`);
    const scores = timeMajor ? tf.transpose(output, [1, 0, 2]) : output;
    const [n, time, classes] = scores.shape;
    const [rows, longest] = given.values.dims;
    if (rows !== n || given.lengths.dims[0] !== n)
      throw badLabels(`are [${given.values.dims}] with ${given.lengths.dims[0]} lengths for a batch of ${n}.`);
    const values = classesOf(given.values, classes);
    const lengths = classesOf(given.lengths, longest + 1);
    for (let i = 0; i < n; i++) {
      let needed = lengths[i];
      for (let k = 1; k < lengths[i]; k++) if (values[i * longest + k] === values[i * longest + k - 1]) needed++;
      if (needed > time)
        throw badLabels(
          `of sample ${i} need ${needed} moments, and the model gives ${time}. Give wider inputs or leave it out.`,
        );
    }
    const { states, classes: path, skips } = extended(values, n, longest, lengths, blank);
    const log = tf.logSoftmax(scores);
    // [n, time, classes] x [n, classes, states] picks log y_t(l_s), [n, time, states]
    const hot = tf.transpose(
      tf.cast(tf.oneHot(tf.tensor2d(path, [n, states], "int32"), classes), "float32"),
      [0, 2, 1],
    );
    const emitted = tf.unstack(tf.matMul(log, hot), 1);
    const skip = tf.tensor2d(skips, [n, states]);
    const start = Float32Array.from({ length: n * states }, (_, i) => {
      const [sample, s] = [Math.floor(i / states), i % states];
      return s === 0 || (s === 1 && lengths[sample] > 0) ? 0 : IMPOSSIBLE;
    });
    let alpha: TfTensor = tf.add(emitted[0], tf.tensor2d(start, [n, states]));
    for (let t = 1; t < time; t++) {
      const from = [alpha, shifted(tf, alpha, 1), tf.add(shifted(tf, alpha, 2), skip)];
      alpha = tf.maximum(tf.add(logSum(tf, from), emitted[t]), IMPOSSIBLE);
    }
    const ends = Float32Array.from({ length: n * states }, (_, i) => {
      const [sample, s] = [Math.floor(i / states), i % states];
      return s === 2 * lengths[sample] || s === 2 * lengths[sample] - 1 ? 0 : IMPOSSIBLE;
    });
    const total = tf.logSumExp(tf.add(alpha, tf.tensor2d(ends, [n, states])), 1);
    const per = Float32Array.from(lengths, (length) => -1 / (n * Math.max(1, length)));
    return tf.sum(tf.mul(total, tf.tensor1d(per)));
  };
