import * as attrs from "../attrs.ts";
import { makeNode } from "../attrs.ts";
import type { Model, Node } from "../model.ts";
import { createRng } from "../numeric/rng.ts";
import type { Feeds } from "../pass.ts";
import { tensor } from "../tensor.ts";
import { gaussian, tinyModel } from "./tiny-model.ts";

/** A model and what to feed it. */
export interface TinyCase {
  readonly model: Model;
  /** Three samples, all different; the same on every call. */
  readonly samples: readonly Feeds[];
}

const SAMPLES = 3;
const samples = (make: (seed: number) => Feeds) => Array.from({ length: SAMPLES }, (_, seed) => make(seed + 1));

/** Weights [out, in, …kernel] or [in, out] of the size that keeps activations about as large as they were. */
const weight = (dims: readonly number[], fanIn: number, seed: number) => gaussian(dims, seed, Math.sqrt(2 / fanIn));

const node = (opType: string, inputs: readonly string[], output: string, attributes = {}): Node =>
  makeNode(opType, inputs, [output], attributes, { name: output });

/** Two linear layers: MatMul and Add, Relu, Gemm with a transposed weight. x [4, 24] -> y [4, 10] */
export const tinyMlp = (): TinyCase => ({
  model: tinyModel({
    inputs: { x: ["float32", ["batch", 24]] },
    outputs: ["y"],
    weights: {
      w1: weight([24, 48], 24, 11),
      b1: gaussian([48], 12, 0.1),
      w2: weight([10, 48], 48, 13),
      b2: gaussian([10], 14, 0.1),
    },
    nodes: [
      node("MatMul", ["x", "w1"], "m"),
      node("Add", ["m", "b1"], "a"),
      node("Relu", ["a"], "r"),
      node("Gemm", ["r", "w2", "b2"], "y", { transB: attrs.int(1) }),
    ],
  }),
  samples: samples((seed) => ({ x: gaussian([4, 24], seed) })),
});

/** A small convolutional network: 3 × 3, BatchNormalization, depthwise, 1 × 1, pool, linear. x [1, 3, 12, 12] -> y [1, 10] */
export const tinyConv = (): TinyCase => {
  const same = { kernel_shape: attrs.ints([3, 3]), pads: attrs.ints([1, 1, 1, 1]) };
  return {
    model: tinyModel({
      inputs: { x: ["float32", [1, 3, 12, 12]] },
      outputs: ["y"],
      weights: {
        w1: weight([16, 3, 3, 3], 27, 21),
        scale: gaussian([16], 22, 0.1),
        shift: gaussian([16], 23, 0.1),
        mean: gaussian([16], 24, 0.1),
        variance: tensor("float32", [16], new Float32Array(16).fill(1.5)),
        w2: weight([16, 1, 3, 3], 9, 25),
        w3: weight([32, 16, 1, 1], 16, 26),
        b3: gaussian([32], 27, 0.1),
        w4: weight([32, 10], 32, 28),
      },
      nodes: [
        node("Conv", ["x", "w1"], "c1", same),
        node("BatchNormalization", ["c1", "scale", "shift", "mean", "variance"], "n1"),
        node("Relu", ["n1"], "r1"),
        node("Conv", ["r1", "w2"], "c2", { ...same, group: attrs.int(16) }),
        node("Relu", ["c2"], "r2"),
        node("Conv", ["r2", "w3", "b3"], "c3", { kernel_shape: attrs.ints([1, 1]) }),
        node("Relu", ["c3"], "r3"),
        node("GlobalAveragePool", ["r3"], "p"),
        node("Flatten", ["p"], "f"),
        node("MatMul", ["f", "w4"], "y"),
      ],
    }),
    samples: samples((seed) => ({ x: gaussian([1, 3, 12, 12], seed) })),
  };
};

const VOCABULARY = 96;
const WIDTH = 32;
const HEADS = 2;
const LENGTH = 7;

/** One block of a transformer encoder over an embedding table. ids [1, 7] -> y [1, 7, 32] */
export const tinyTransformer = (): TinyCase => {
  const int64 = (values: readonly number[]) => tensor("int64", [values.length], BigInt64Array.from(values, BigInt));
  const heads = (name: string): Node[] => [
    node("MatMul", ["e", `w_${name}`], `${name}_m`),
    node("Reshape", [`${name}_m`, "split"], `${name}_s`),
    node("Transpose", [`${name}_s`], name, { perm: attrs.ints(name === "k" ? [0, 2, 3, 1] : [0, 2, 1, 3]) }),
  ];
  const linear = (fanIn: number, fanOut: number, seed: number) => weight([fanIn, fanOut], 2 * fanIn, seed);
  const ones = tensor("float32", [WIDTH], new Float32Array(WIDTH).fill(1));
  const zeros = tensor("float32", [WIDTH], new Float32Array(WIDTH));
  return {
    model: tinyModel({
      inputs: { ids: ["int64", [1, "length"]] },
      outputs: ["y"],
      weights: {
        table: gaussian([VOCABULARY, WIDTH], 31),
        w_q: linear(WIDTH, WIDTH, 32),
        w_k: linear(WIDTH, WIDTH, 33),
        w_v: linear(WIDTH, WIDTH, 34),
        w_o: linear(WIDTH, WIDTH, 35),
        w_up: linear(WIDTH, 4 * WIDTH, 36),
        w_down: linear(4 * WIDTH, WIDTH, 37),
        split: int64([0, 0, HEADS, WIDTH / HEADS]),
        joined: int64([0, 0, WIDTH]),
        root: tensor("float32", [], Float32Array.of(Math.sqrt(WIDTH / HEADS))),
        ones,
        zeros,
      },
      nodes: [
        node("Gather", ["table", "ids"], "e"),
        ...heads("q"),
        ...heads("k"),
        ...heads("v"),
        node("MatMul", ["q", "k"], "qk"),
        node("Div", ["qk", "root"], "scores"),
        node("Softmax", ["scores"], "shares", { axis: attrs.int(-1) }),
        node("MatMul", ["shares", "v"], "mixed"),
        node("Transpose", ["mixed"], "turned", { perm: attrs.ints([0, 2, 1, 3]) }),
        node("Reshape", ["turned", "joined"], "flat"),
        node("MatMul", ["flat", "w_o"], "o"),
        node("Add", ["e", "o"], "sum1"),
        node("LayerNormalization", ["sum1", "ones", "zeros"], "n1"),
        node("MatMul", ["n1", "w_up"], "up"),
        node("Relu", ["up"], "act"),
        node("MatMul", ["act", "w_down"], "down"),
        node("Add", ["n1", "down"], "sum2"),
        node("LayerNormalization", ["sum2", "ones", "zeros"], "y"),
      ],
    }),
    samples: samples((seed) => {
      const rng = createRng(seed);
      const ids = BigInt64Array.from({ length: LENGTH }, () => BigInt(rng.below(VOCABULARY)));
      return { ids: tensor("int64", [1, LENGTH], ids) };
    }),
  };
};

/** A recurrent layer over a sequence. x [5, 1, 8] -> y [5, 1, 1, 12] */
export const tinyLstm = (): TinyCase => ({
  model: tinyModel({
    inputs: { x: ["float32", ["time", 1, 8]] },
    outputs: ["y"],
    weights: { w: weight([1, 48, 8], 16, 41), r: weight([1, 48, 12], 24, 42), b: gaussian([1, 96], 43, 0.1) },
    nodes: [node("LSTM", ["x", "w", "r", "b"], "y", { hidden_size: attrs.int(12) })],
  }),
  samples: samples((seed) => ({ x: gaussian([5, 1, 8], seed) })),
});

/** All of them, by name. */
export const tinyModels: Readonly<Record<string, () => TinyCase>> = {
  mlp: tinyMlp,
  conv: tinyConv,
  transformer: tinyTransformer,
  lstm: tinyLstm,
};
