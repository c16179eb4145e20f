import { sizeOf, type Tensor } from "../../tensor.ts";
import { badLabels, classesOf } from "./labels.ts";
import type { Loss } from "./loss-inputs.ts";

/** What torch leaves out by default. */
const IGNORED = -100;

/**
 * Mean over the labels of -log softmax(output)[label]; scores [N, classes] and labels [N], or [N, T, classes] and [N, T].
 * Labels of -100 are left out.
 *
 * @throws EspalierError `BAD_DATA` where labels and scores don't match, or a class is out of range
 */
export const crossEntropy =
  ({ smoothing = 0 }: { readonly smoothing?: number } = {}): Loss =>
  ({ tf, output, labels }) => {
    const classes = output.shape[output.rank - 1];
    const rows = sizeOf(output.shape.slice(0, -1));
    const given = classesOf(labels, classes, IGNORED);
    if (given.length !== rows)
      throw badLabels(
        `are ${given.length} (dims [${(labels as Tensor).dims}]) for scores [${output.shape}]. Give one for each row.`,
      );
    const used = given.filter((label) => label !== IGNORED).length;
    const target = new Float32Array(rows * classes);
    given.forEach((label, i) => {
      if (label === IGNORED) return;
      target.fill(smoothing / classes, i * classes, (i + 1) * classes);
      target[i * classes + label] += 1 - smoothing;
    });
    const log = tf.logSoftmax(tf.reshape(output, [rows, classes]));
    return tf.neg(tf.div(tf.sum(tf.mul(log, tf.tensor2d(target, [rows, classes]))), Math.max(1, used)));
  };
