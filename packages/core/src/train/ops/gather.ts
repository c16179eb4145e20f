import { axisOf, type Call, int, type Operator, string, unsupported, x } from "../call.ts";
import type { Tf, TfTensor } from "../tf.ts";
import { addRows, flatAlong, fromStart, takeAlong, takeRows } from "./take.ts";

const product = (dims: readonly number[]) => dims.reduce((all, dim) => all * dim, 1);

const gather: Operator = (call) => {
  const { tf } = call;
  const [data, given] = [x(call), x(call, 1)];
  const axis = axisOf(int(call, "axis", 0), data.rank);
  const rows = data.shape[axis];
  const indices = tf.reshape(fromStart(tf, given, rows), [-1]);
  const order = [axis, ...data.shape.map((_, i) => i).filter((i) => i !== axis)];
  const first = axis === 0 ? data : tf.transpose(data, order);
  const taken = takeRows(tf, tf.reshape(first, [rows, -1]), indices);
  const rest = data.shape.filter((_, i) => i !== axis);
  const shaped = tf.reshape(taken, [...given.shape, ...rest]);
  if (axis === 0) return shaped;
  const back = [
    ...rest.slice(0, axis).map((_, i) => given.rank + i),
    ...given.shape.map((_, i) => i),
    ...rest.slice(axis).map((_, i) => given.rank + axis + i),
  ];
  return tf.transpose(shaped, back);
};

/** Flat row of each index vector, [n], where `data` is taken as [product of the indexed axes, the rest]. */
const flatVectors = (tf: Tf, data: readonly number[], indices: TfTensor, batch: number) => {
  const depth = indices.shape[indices.rank - 1];
  const indexed = data.slice(0, batch + depth);
  const groups = product(data.slice(0, batch));
  const vectors = tf.reshape(indices, [groups, -1, depth]);
  let flat = tf.tensor(
    Int32Array.from({ length: groups }, (_, i) => i * product(indexed.slice(batch))),
    [groups, 1],
  );
  flat = tf.cast(flat, "int32");
  for (let k = 0; k < depth; k++) {
    const at = tf.reshape(tf.slice(vectors, [0, 0, k], [-1, -1, 1]), [groups, -1]);
    const step = tf.scalar(product(indexed.slice(batch + k + 1)), "int32");
    flat = tf.add(flat, tf.mul(fromStart(tf, at, indexed[batch + k]), step));
  }
  return { flat: tf.reshape(flat, [-1]), rows: product(indexed), rest: data.slice(batch + depth) };
};

const gatherND: Operator = (call) => {
  const { tf } = call;
  const [data, indices] = [x(call), x(call, 1)];
  const { flat, rows, rest } = flatVectors(tf, data.shape, indices, int(call, "batch_dims", 0));
  const taken = takeRows(tf, tf.reshape(data, [rows, -1]), flat);
  return tf.reshape(taken, [...indices.shape.slice(0, -1), ...rest]);
};

/** Data with rows replaced, or added to. */
const scattered = (call: Call, data: TfTensor, rows: number, flat: TfTensor, updates: TfTensor): TfTensor => {
  const { tf } = call;
  const reduction = string(call, "reduction", "none");
  if (reduction !== "none" && reduction !== "add")
    throw unsupported(call, `has reduction "${reduction}". Only "none" and "add" have a gradient here.`);
  const width = product(data.shape) / rows;
  const table = tf.reshape(data, [rows, width]);
  const added = addRows(tf, tf.reshape(updates, [-1, width]), flat, rows);
  if (reduction === "add") return tf.reshape(tf.add(table, added), data.shape);
  const [n] = flat.shape;
  const hit = tf.scatterND(tf.reshape(flat, [n, 1]), tf.ones([n]), [rows]);
  const kept = tf.reshape(tf.cast(tf.equal(hit, 0), "float32"), [rows, 1]);
  return tf.reshape(tf.add(tf.mul(table, kept), added), data.shape);
};

const scatterElements: Operator = (call) => {
  const { tf } = call;
  const [data, given, updates] = [x(call), x(call, 1), x(call, 2)];
  const axis = axisOf(int(call, "axis", 0), data.rank);
  const flat = flatAlong(tf, data.shape, fromStart(tf, given, data.shape[axis]), axis);
  return scattered(call, data, product(data.shape), flat, updates);
};

const scatterND: Operator = (call) => {
  const { tf } = call;
  const [data, indices, updates] = [x(call), x(call, 1), x(call, 2)];
  const { flat, rows } = flatVectors(tf, data.shape, indices, 0);
  return scattered(call, data, rows, flat, updates);
};

export const gathers: Readonly<Record<string, Operator>> = {
  Gather: gather,
  GatherElements: (call) => {
    const data = x(call);
    return takeAlong(call.tf, data, x(call, 1), axisOf(int(call, "axis", 0), data.rank));
  },
  GatherND: gatherND,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
};
