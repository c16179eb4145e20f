import type { Tf, TfTensor } from "../tf.ts";

const product = (dims: readonly number[]) => dims.reduce((all, dim) => all * dim, 1);

/**
 * Rows of a table by their indices; the gradient adds up what came of each row. TensorFlow.js has this gradient on a
 * kernel that not every backend has; scattering is on all of them.
 *
 * @param table [rows, width]
 * @param indices [n], int32, 0 … rows - 1
 * @returns [n, width]
 */
export const takeRows = (tf: Tf, table: TfTensor, indices: TfTensor): TfTensor => {
  const { shape } = table;
  const take = tf.customGrad((t, save) => {
    (save as (tensors: TfTensor[]) => void)([indices]);
    return {
      value: tf.gather(t as TfTensor, indices as never),
      gradFunc: (dy: TfTensor, saved: TfTensor[]) => {
        const [n] = saved[0].shape;
        return tf.scatterND(tf.reshape(saved[0], [n, 1]), tf.reshape(dy, [n, shape[1]]), shape as [number, number]);
      },
    };
  });
  return take(table);
};

/**
 * Sums of rows by the place they go to: what `takeRows` does, the other way round.
 *
 * @param rows [n, width]
 * @param indices [n], int32, 0 … count - 1
 * @returns [count, width]
 */
export const addRows = (tf: Tf, rows: TfTensor, indices: TfTensor, count: number): TfTensor => {
  const [n, width] = rows.shape;
  const add = tf.customGrad((r, save) => {
    (save as (tensors: TfTensor[]) => void)([indices]);
    return {
      value: tf.scatterND(tf.reshape(indices, [n, 1]), r as TfTensor, [count, width]),
      gradFunc: (dy: TfTensor, saved: TfTensor[]) => tf.gather(dy, saved[0] as never),
    };
  });
  return add(rows);
};

/** Indices below zero count from the end of an axis of `length`. */
export const fromStart = (tf: Tf, indices: TfTensor, length: number): TfTensor => {
  const whole = tf.cast(indices, "int32");
  return tf.add(whole, tf.mul(tf.cast(tf.less(whole, tf.scalar(0, "int32")), "int32"), tf.scalar(length, "int32")));
};

/**
 * The place in a flat array that each element of `indices` names along an axis, its own place along the others.
 *
 * @param dims of the flat array
 * @param indices as many axes as dims, int32, not below zero
 * @returns [size of indices], int32
 */
export const flatAlong = (tf: Tf, dims: readonly number[], indices: TfTensor, axis: number): TfTensor => {
  const { shape } = indices;
  const base = new Int32Array(product(shape));
  const steps = dims.map((_, i) => product(dims.slice(i + 1)));
  for (let flat = 0; flat < base.length; flat++) {
    let rest = flat;
    for (let i = shape.length - 1; i >= 0; i--) {
      const at = rest % shape[i];
      rest = (rest - at) / shape[i];
      if (i !== axis) base[flat] += at * steps[i];
    }
  }
  const scaled = tf.mul(tf.reshape(indices, [-1]), tf.scalar(steps[axis], "int32"));
  return tf.add(scaled, tf.tensor1d(base, "int32"));
};

/** out[.., i, ..] = data[.., indices[.., i, ..], ..] along an axis: numpy's take_along_axis. */
export const takeAlong = (tf: Tf, data: TfTensor, indices: TfTensor, axis: number): TfTensor => {
  const flat = flatAlong(tf, data.shape, fromStart(tf, indices, data.shape[axis]), axis);
  return tf.reshape(takeRows(tf, tf.reshape(data, [-1, 1]), flat), indices.shape);
};
