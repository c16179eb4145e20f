import type { Kernels } from "../kernels.ts";
import { sizeOf } from "../tensor.ts";
import { broadcastStrides, walk } from "./shapes.ts";
import type { KernelCall, KernelFunction, TensorInfo, Tf, WasmBackend } from "./tf.ts";

type Linear = Pick<Kernels, "gemm">;

/** Floats of a tensor, as they lie on the backend's heap: valid until something is allocated there. */
export const floatsOf = (backend: WasmBackend, info: TensorInfo): Float32Array =>
  backend.typedArrayFromHeap(info) as Float32Array;

const floatTensor = (dims: readonly number[], data: Float32Array) => ({ type: "float32", dims, data }) as const;

interface Product {
  readonly transA: boolean;
  readonly transB: boolean;
}

const operand = (data: Float32Array, batch: readonly number[], [rows, columns]: readonly [number, number]) => ({
  data,
  batch,
  rows,
  columns,
});

/** op(A) op(B) for every matrix of a batch, whose dimensions may be repeated. `out` holds [...batch, m, n]. */
const multiply = (
  { gemm }: Linear,
  a: ReturnType<typeof operand>,
  b: ReturnType<typeof operand>,
  batch: readonly number[],
  out: Float32Array,
  { transA, transB }: Product,
): void => {
  const [m, k] = transA ? [a.columns, a.rows] : [a.rows, a.columns];
  const n = transB ? b.rows : b.columns;
  if (m * n * sizeOf(batch) === 0) return;
  if (k === 0) {
    out.fill(0);
    return;
  }
  const whole = a.batch.join() === batch.join() && (b.batch.join() === batch.join() || sizeOf(b.batch) === 1);
  if (whole) {
    const left = floatTensor([sizeOf(batch), a.rows, a.columns], a.data);
    const right = floatTensor([sizeOf(b.batch), b.rows, b.columns], b.data);
    gemm(left, right, { transA, transB, out: floatTensor([sizeOf(batch), m, n], out) });
    return;
  }
  const places: number[] = [];
  walk(batch, broadcastStrides(b.batch, batch), (_, place) => places.push(place));
  walk(batch, broadcastStrides(a.batch, batch), (index, place) => {
    const left = floatTensor([a.rows, a.columns], a.data.subarray(place * m * k, (place + 1) * m * k));
    const at = places[index]! * k * n;
    const right = floatTensor([b.rows, b.columns], b.data.subarray(at, at + k * n));
    gemm(left, right, { transA, transB, out: floatTensor([m, n], out.subarray(index * m * n, (index + 1) * m * n)) });
  });
};

const matrixOf = ({ shape }: TensorInfo) => [shape.at(-2)!, shape.at(-1)!] as const;

/** The product of two tensors as a new one on the backend's heap. */
const product = (tf: Tf, kernels: Linear, a: TensorInfo, b: TensorInfo, backend: WasmBackend, how: Product) => {
  const [batchA, batchB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const batch = tf.backend_util.assertAndGetBroadcastShape(batchA, batchB);
  const [m, n] = [a.shape.at(how.transA ? -1 : -2)!, b.shape.at(how.transB ? -2 : -1)!];
  // the heap may move when the output is made, and what is looked at comes after
  const out = backend.makeOutput([...batch, m, n], "float32");
  const left = operand(floatsOf(backend, a), batchA, matrixOf(a));
  const right = operand(floatsOf(backend, b), batchB, matrixOf(b));
  multiply(kernels, left, right, batch, floatsOf(backend, out), how);
  return out;
};

const transposes = ({ attrs }: KernelCall): Product => ({
  transA: attrs.transposeA === true,
  transB: attrs.transposeB === true,
});

/** Kernel `BatchMatMul`: right and equally fast for every transpose. Other types than float32 go to `otherwise`. */
export const batchMatMul =
  (tf: Tf, kernels: Linear, otherwise: KernelFunction): KernelFunction =>
  (call) => {
    const [a, b] = [call.inputs.a!, call.inputs.b!];
    if (a.dtype !== "float32" || b.dtype !== "float32") return otherwise(call);
    return product(tf, kernels, a, b, call.backend, transposes(call));
  };

const RELU6 = 6;

type Finish = (x: number, index: number) => number;

/** Activations that TensorFlow.js fuses, as its cpu backend defines them. */
const finishOf = (call: KernelCall, shape: readonly number[]): Finish | undefined => {
  const { attrs, backend, inputs } = call;
  if (attrs.activation === "relu") return (x) => Math.max(x, 0);
  if (attrs.activation === "relu6") return (x) => Math.min(Math.max(x, 0), RELU6);
  if (attrs.activation === "elu") return (x) => (x >= 0 ? x : Math.exp(x) - 1);
  if (attrs.activation === "sigmoid") return (x) => 1 / (1 + Math.exp(-x));
  if (attrs.activation === "leakyrelu") {
    const slope = Number(attrs.leakyreluAlpha ?? 0);
    return (x) => (x < 0 ? slope * x : x);
  }
  const weights = inputs.preluActivationWeights;
  if (attrs.activation !== "prelu" || !weights) return undefined;
  const slopes = spread(floatsOf(backend, weights), weights.shape, shape);
  return (x, index) => (x < 0 ? slopes[index]! * x : x);
};

/** Values repeated to a larger shape. */
const spread = (values: Float32Array, shape: readonly number[], target: readonly number[]): Float32Array => {
  const all = new Float32Array(sizeOf(target));
  walk(target, broadcastStrides(shape, target), (index, place) => {
    all[index] = values[place]!;
  });
  return all;
};

/** Kernel `_FusedMatMul`: product, bias and activation. */
export const fusedMatMul =
  (tf: Tf, kernels: Linear, otherwise: KernelFunction): KernelFunction =>
  (call) => {
    const { inputs, backend } = call;
    const [a, b, bias] = [inputs.a!, inputs.b!, inputs.bias];
    if (a.dtype !== "float32" || b.dtype !== "float32") return otherwise(call);
    const out = product(tf, kernels, a, b, backend, transposes(call));
    const values = floatsOf(backend, out);
    if (bias) {
      const added = floatsOf(backend, bias);
      walk(out.shape, broadcastStrides(bias.shape, out.shape), (index, place) => {
        values[index] = values[index]! + added[place]!;
      });
    }
    const finish = finishOf(call, out.shape);
    if (finish) for (let i = 0; i < values.length; i++) values[i] = finish(values[i]!, i);
    return out;
  };
