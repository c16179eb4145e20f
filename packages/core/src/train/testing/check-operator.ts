import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import * as ort from "onnxruntime-node";
import { makeNode } from "../../attrs.ts";
import type { Attribute, Model, Node } from "../../model.ts";
import { createRng } from "../../numeric/rng.ts";
import { openSession } from "../../run/session.ts";
import { sizeOf, type Tensor, tensor } from "../../tensor.ts";
import { tinyModel } from "../../testing/tiny-model.ts";
import type { TfTensor } from "../tf.ts";
import { type Trainable, trainable } from "../trainable.ts";

export { tf };

/** One operator on made-up inputs, compared with onnxruntime and with central differences. */
export interface OperatorCase {
  readonly name?: string;
  readonly op: string;
  readonly domain?: string;
  readonly opset?: number;
  /** Inputs in order: dims of floats that are differentiated, a constant, or nothing. */
  readonly in: readonly (readonly number[] | Tensor | undefined)[];
  readonly attrs?: Readonly<Record<string, Attribute>>;
  readonly outputs?: number;
  /** Only the first outputs are compared. */
  readonly compared?: number;
  /** What the made-up floats are shifted and stretched by; they keep 0.1 from zero. */
  readonly data?: (value: number) => number;
  /** Floats that differ by 0.2 at least, for operators that choose among them. */
  readonly apart?: boolean;
  /** False where the operator has no gradient, or it is zero everywhere. */
  readonly gradient?: boolean;
}

const LETTERS = "abcdefghij";
const STEP = 0.01;
const DIRECTIONS = 3;
const FORWARD = 1e-4;
const BACKWARD = 2e-3;

const isTensor = (given: OperatorCase["in"][number]): given is Tensor => given !== undefined && "type" in given;

const APART = 0.2;

/** Multiples of 0.2 in a random order. */
const farApart = (dims: readonly number[], seed: number): Tensor => {
  const rng = createRng(seed);
  const size = sizeOf(dims);
  const values = Float32Array.from({ length: size }, (_, i) => (i - size / 2) * APART);
  for (let i = size - 1; i > 0; i--) {
    const j = rng.below(i + 1);
    [values[i], values[j]] = [values[j], values[i]];
  }
  return tensor("float32", dims, values);
};

/** Gaussians that keep their distance from zero, where many functions have a corner. */
const madeUp = (dims: readonly number[], seed: number, shape: (value: number) => number): Tensor => {
  const rng = createRng(seed);
  const values = Float32Array.from({ length: sizeOf(dims) }, () => {
    const value = rng.normal();
    return shape(value + Math.sign(value) * 0.1);
  });
  return tensor("float32", dims, values);
};

const modelOf = (given: OperatorCase): { model: Model; feeds: Record<string, Tensor> } => {
  const { op, domain = "", opset = 17, in: inputs, attrs = {}, outputs = 1, data = (value) => value, apart } = given;
  const names = inputs.map((input, i) => (input === undefined ? "" : LETTERS[i]));
  const feeds: Record<string, Tensor> = {};
  const weights: Record<string, Tensor> = {};
  inputs.forEach((input, i) => {
    if (isTensor(input)) weights[LETTERS[i]] = input;
    else if (input) feeds[LETTERS[i]] = apart ? farApart(input, i + 1) : madeUp(input, i + 1, data);
  });
  const made = Array.from({ length: outputs }, (_, i) => `out${i}`);
  const node: Node = makeNode(op, names, made, attrs, { name: "node", domain });
  const model = tinyModel({
    inputs: Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, ["float32", t.dims] as const])),
    outputs: made,
    nodes: [node],
    weights,
    opset,
    irVersion: opset > 20 ? 10 : 8,
    domains: domain === "" ? {} : { [domain]: 1 },
  });
  // onnxruntime finds out the types of the outputs by itself
  const graph = { ...model.graph, outputs: made.map((name) => ({ name })) };
  return { model: { ...model, graph }, feeds };
};

/** The sum of random factors times each output, in float64. */
const weighed = (
  net: Trainable,
  feeds: Record<string, Tensor>,
  factors: readonly Float32Array[],
  floats: readonly string[],
) =>
  tf.tidy(() => {
    const { outputs } = net.run(feeds);
    let sum = 0;
    floats.forEach((name, i) => {
      outputs[name].dataSync().forEach((value, j) => {
        sum += value * factors[i][j];
      });
    });
    return sum;
  });

const moved = (feeds: Record<string, Tensor>, directions: Record<string, Tensor>, by: number) =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, t]) => {
      const d = directions[name].data as Float32Array;
      return [
        name,
        tensor(
          "float32",
          t.dims,
          Float32Array.from(t.data as Float32Array, (v, i) => v + by * d[i]),
        ),
      ];
    }),
  );

/** Compares the gradient in random directions with central differences of fourth order. */
const checkGradient = (
  net: Trainable,
  feeds: Record<string, Tensor>,
  floats: readonly string[],
  dims: readonly (readonly number[])[],
) => {
  const names = Object.keys(feeds);
  const factors = dims.map((shape, i) => madeUp(shape, 100 + i, (v) => v).data as Float32Array);
  const given = names.map((name) => tf.tensor(feeds[name].data as Float32Array, [...feeds[name].dims]));
  const gradients = tf.tidy(() =>
    tf.grads((...xs: tf.Tensor[]) => {
      const { outputs } = net.run(Object.fromEntries(names.map((name, i) => [name, xs[i] as TfTensor])));
      const parts = floats.map((name, i) => tf.sum(tf.mul(outputs[name], tf.tensor(factors[i], [...dims[i]]))));
      return parts.reduce((sum, part) => tf.add(sum, part)) as tf.Tensor;
    })(given),
  );
  const analytic = gradients.map((g) => g.dataSync());
  tf.dispose([...given, ...gradients]);
  for (let k = 0; k < DIRECTIONS; k++) {
    const directions = Object.fromEntries(
      names.map((name, i) => [name, madeUp(feeds[name].dims, 31 * k + i, (v) => v)]),
    );
    const f = (by: number) => weighed(net, moved(feeds, directions, by * STEP), factors, floats);
    const numeric = (8 * (f(1) - f(-1)) - (f(2) - f(-2))) / (12 * STEP);
    let [slope, size] = [0, 0];
    names.forEach((name, i) => {
      (directions[name].data as Float32Array).forEach((d, j) => {
        slope += d * analytic[i][j];
        size += (d * analytic[i][j]) ** 2;
      });
    });
    const bound = BACKWARD * Math.max(Math.sqrt(size), 1e-2);
    if (!(Math.abs(slope - numeric) <= bound))
      throw new Error(`gradient ${slope} along direction ${k}, central differences give ${numeric} (bound ${bound})`);
  }
};

/** Throws unless the operator gives what onnxruntime gives, within 1e-4, and has the gradient of central differences. */
export const checkOperator = async (given: OperatorCase): Promise<void> => {
  const { model, feeds } = modelOf(given);
  const session = await openSession(ort, model);
  const net = await trainable(tf, model, { train: [] });
  try {
    const expected = await session.run(feeds);
    const names = Object.keys(expected).slice(0, given.compared ?? given.outputs ?? 1);
    tf.tidy(() => {
      const { outputs } = net.run(feeds);
      for (const name of names) {
        const want = expected[name];
        const found = outputs[name];
        if (found.shape.join() !== want.dims.join())
          throw new Error(`${name}: dims [${found.shape}], onnxruntime [${want.dims}]`);
        const values = found.dataSync();
        for (let i = 0; i < values.length; i++) {
          const wanted = Number(want.data[i]);
          const error = Object.is(values[i], wanted) ? 0 : Math.abs(values[i] - wanted);
          if (!(error <= FORWARD * Math.max(1, Math.abs(wanted))))
            throw new Error(`${name}[${i}] is ${values[i]}, onnxruntime gives ${wanted}`);
        }
      }
    });
    const floats = names.filter((name) => expected[name].type === "float32");
    if (given.gradient !== false && floats.length > 0 && Object.keys(feeds).length > 0)
      checkGradient(
        net,
        feeds,
        floats,
        floats.map((name) => expected[name].dims),
      );
  } finally {
    net.dispose();
    await session.release();
  }
};

/** Name of a case's test. */
export const titleOf = ({ name, op, domain }: OperatorCase): string =>
  `${domain === undefined ? op : `${domain}.${op}`}${name === undefined ? "" : `, ${name}`}`;

export const int64 = (values: readonly number[], dims: readonly number[] = [values.length]): Tensor =>
  tensor("int64", dims, BigInt64Array.from(values.map(BigInt)));
export const float32 = (values: readonly number[], dims: readonly number[] = [values.length]): Tensor =>
  tensor("float32", dims, Float32Array.from(values));
export const bool = (values: readonly number[], dims: readonly number[] = [values.length]): Tensor =>
  tensor("bool", dims, Uint8Array.from(values));
