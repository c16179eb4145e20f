import { attrs, createRng, type Feeds, type Model, makeNode, type Node, type Tensor, tensor } from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";

const [VOCABULARY, WIDTH, HIDDEN, LENGTH, PAST] = [50, 24, 48, 9, 3];

export interface StackOptions {
  readonly blocks?: number;
  readonly seed?: number;
  /** Size of what each block adds. */
  readonly sizes?: readonly number[];
  /** The mask of lengths is made of the first block's past, so that other blocks read it. */
  readonly lengthOfFirst?: boolean;
}

export interface Stack {
  readonly model: Model;
  readonly samples: readonly Feeds[];
}

const node = (opType: string, inputs: readonly string[], output: string, attributes = {}): Node =>
  makeNode(opType, inputs, [output], attributes, { name: output });

/**
 * A language model of residual blocks, each with a past of its own: the mean of past and present keys is added to the
 * input of a feed-forward layer; a norm and a head at the end. ids [1, 9] -> logits [1, 9, 50]
 */
export const stack = ({ blocks = 5, seed = 1, sizes = [], lengthOfFirst = false }: StackOptions = {}): Stack => {
  const rng = createRng(seed);
  const all = Array.from({ length: blocks }, (_, i) => i);
  const size = (i: number) => sizes[i] ?? 0.2 + rng.uniform();
  const weights: Record<string, Tensor> = {
    table: gaussian([VOCABULARY, WIDTH], seed),
    head: gaussian([WIDTH, VOCABULARY], seed + 1, 1 / Math.sqrt(WIDTH)),
    scale: tensor("float32", [WIDTH], new Float32Array(WIDTH).fill(1)),
    two: tensor("float32", [], Float32Array.of(2)),
  };
  for (const i of all) {
    weights[`k${i}`] = gaussian([WIDTH, WIDTH], seed + 10 * i + 2, 1 / Math.sqrt(WIDTH));
    weights[`up${i}`] = gaussian([WIDTH, HIDDEN], seed + 10 * i + 3, 1 / Math.sqrt(WIDTH));
    weights[`down${i}`] = gaussian([HIDDEN, WIDTH], seed + 10 * i + 4, size(i) / Math.sqrt(HIDDEN));
  }
  const block = (i: number): Node[] => {
    const x = i === 0 ? "e" : `y${i - 1}`;
    return [
      node("MatMul", [x, `k${i}`], `key${i}`),
      node("Concat", [`past.${i}`, `key${i}`], `present.${i}`, { axis: attrs.int(1) }),
      node("ReduceMean", [`present.${i}`], `mean${i}`, { axes: attrs.ints([1]) }),
      node("Add", [x, `mean${i}`], `in${i}`),
      node("MatMul", [`in${i}`, `up${i}`], `up_${i}`),
      node("Relu", [`up_${i}`], `act${i}`),
      node("MatMul", [`act${i}`, `down${i}`], `down_${i}`),
      node("Add", [x, `down_${i}`], `y${i}`),
    ];
  };
  const last = `y${blocks - 1}`;
  const model = tinyModel({
    inputs: {
      ids: ["int64", [1, "length"]],
      ...Object.fromEntries(all.map((i) => [`past.${i}`, ["float32", [1, "past", WIDTH]] as const])),
    },
    outputs: {
      logits: "float32",
      ...Object.fromEntries(all.map((i) => [`present.${i}`, "float32" as const])),
      ...(lengthOfFirst && { length: "int64" as const }),
    },
    weights,
    nodes: [
      node("Gather", ["table", "ids"], "e"),
      ...(lengthOfFirst ? [node("Shape", ["past.0"], "length")] : []),
      ...all.flatMap(block),
      node("Pow", [last, "two"], "squares"),
      node("ReduceMean", ["squares"], "square", { axes: attrs.ints([-1]) }),
      node("Sqrt", ["square"], "root"),
      node("Div", [last, "root"], "unit"),
      node("Mul", ["unit", "scale"], "normed"),
      node("MatMul", ["normed", "head"], "logits"),
    ],
  });
  const sample = (at: number): Feeds => ({
    ids: tensor(
      "int64",
      [1, LENGTH],
      BigInt64Array.from({ length: LENGTH }, () => BigInt(rng.below(VOCABULARY))),
    ),
    ...Object.fromEntries(all.map((i) => [`past.${i}`, gaussian([1, PAST, WIDTH], at * blocks + i)])),
  });
  return { model, samples: [1, 2, 3, 4].map(sample) };
};
