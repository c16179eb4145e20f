import { sizeOf } from "../../tensor.ts";
import { float, has, int, type Operator, unsupported, x } from "../call.ts";
import type { Tf, TfTensor } from "../tf.ts";
import { einsum } from "./einsum.ts";

/** The last two axes exchanged. */
const turned = (tf: Tf, a: TfTensor): TfTensor => {
  const order = a.shape.map((_, i) => i);
  order.push(...order.splice(-2).reverse());
  return tf.transpose(a, order);
};

/**
 * Products of matrices in stacks that broadcast. Vectors are rows on the left and columns on the right. A stack times one
 * matrix is one product; gradients of broadcast stacks are added up by `broadcastTo`, which TensorFlow.js's own product
 * leaves out.
 */
const matMul = (tf: Tf, left: TfTensor, right: TfTensor, transposeRight = false): TfTensor => {
  const a = left.rank === 1 ? tf.reshape(left, [1, -1]) : left;
  const b = right.rank === 1 ? tf.reshape(right, [-1, 1]) : right;
  const rows = a.shape[a.rank - 2];
  const columns = b.shape[transposeRight ? b.rank - 2 : b.rank - 1];
  const rank = Math.max(a.rank, b.rank) - 2;
  const stackOf = (t: TfTensor) => [...Array<number>(rank + 2 - t.rank).fill(1), ...t.shape.slice(0, -2)];
  const [stackA, stackB] = [stackOf(a), stackOf(b)];
  const stack = stackA.map((dim, i) => (dim === 1 ? stackB[i] : dim));
  const multiply = () => {
    if (sizeOf(stackB) === 1) {
      const flat = tf.reshape(a, [-1, a.shape[a.rank - 1]]);
      return tf.matMul(flat, tf.reshape(b, b.shape.slice(-2)), false, transposeRight);
    }
    const spread = (t: TfTensor, own: number[]) =>
      own.join() === stack.join() ? t : tf.broadcastTo(t, [...stack, ...t.shape.slice(-2)]);
    const flat = (t: TfTensor, own: number[]) => tf.reshape(spread(t, own), [sizeOf(stack), ...t.shape.slice(-2)]);
    return tf.matMul(flat(a, stackA), flat(b, stackB), false, transposeRight);
  };
  const shape = [...stack, rows, columns];
  if (right.rank === 1) shape.pop();
  if (left.rank === 1) shape.splice(stack.length, 1);
  return tf.reshape(multiply(), shape);
};

const gemm: Operator = (call) => {
  const { tf } = call;
  const [alpha, beta] = [float(call, "alpha", 1), float(call, "beta", 1)];
  const product = tf.matMul(x(call), x(call, 1), int(call, "transA", 0) !== 0, int(call, "transB", 0) !== 0);
  const scaled = alpha === 1 ? product : tf.mul(product, alpha);
  if (!has(call, 2)) return scaled;
  return tf.add(scaled, beta === 1 ? x(call, 2) : tf.mul(x(call, 2), beta));
};

const fusedMatMul: Operator = (call) => {
  const { tf } = call;
  if (int(call, "transBatchA", 0) !== 0 || int(call, "transBatchB", 0) !== 0)
    throw unsupported(call, "exchanges stacks and rows. Write it as Transpose and MatMul.");
  const a = int(call, "transA", 0) === 0 ? x(call) : turned(tf, x(call));
  return tf.mul(matMul(tf, a, x(call, 1), int(call, "transB", 0) !== 0), float(call, "alpha", 1));
};

export const products: Readonly<Record<string, Operator>> = {
  Einsum: einsum,
  Gemm: gemm,
  MatMul: (call) => matMul(call.tf, x(call), x(call, 1)),
  "com.microsoft:FusedMatMul": fusedMatMul,
};
