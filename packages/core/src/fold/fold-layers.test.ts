import { describe, expect, it } from "vitest";
import { expectSameOutputs, tinyModel } from "../../test/run-model.ts";
import { float, int, ints, makeNode } from "../attrs.ts";
import type { Model, Node } from "../model.ts";
import { sizeOf, type Tensor, tensor } from "../tensor.ts";
import { fold } from "./fold.ts";

const BOUND = 1e-5;
/** Values of both signs that differ from place to place, other ones for each seed. */
const values = (seed: number, ...dims: number[]): Tensor<"float32"> =>
  tensor(
    "float32",
    dims,
    Float32Array.from({ length: sizeOf(dims) }, (_, i) => Math.sin((i + 1) * (seed + 1.3))),
  );
const positive = (seed: number, ...dims: number[]): Tensor<"float32"> => {
  const t = values(seed, ...dims);
  return tensor(
    "float32",
    dims,
    t.data.map((value) => Math.abs(value) + 0.2),
  );
};
const i64 = (...list: number[]) => tensor("int64", [list.length], BigInt64Array.from(list.map(BigInt)));
const opsOf = (model: Model) => model.graph.nodes.map((node) => node.opType);

const x = values(0, 2, 4, 6, 6);
const conv = { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) };
const statistics = (name: string, channels: number, seed: number) => ({
  [`${name}_g`]: values(seed, channels),
  [`${name}_b`]: values(seed + 1, channels),
  [`${name}_m`]: values(seed + 2, channels),
  [`${name}_v`]: positive(seed + 3, channels),
});
const norm = (name: string, input: string, output: string) =>
  makeNode("BatchNormalization", [input, `${name}_g`, `${name}_b`, `${name}_m`, `${name}_v`], [output], {
    epsilon: float(1e-3),
  });

interface Folding {
  readonly what: string;
  readonly nodes: readonly Node[];
  readonly weights: Readonly<Record<string, Tensor>>;
  readonly after: readonly string[];
  readonly input?: Tensor;
  readonly opset?: number;
}

const channel = (seed: number, count: number) => values(seed, 1, count, 1, 1);
const matrix = values(5, 3, 4);

const foldings: Folding[] = [
  {
    what: "Conv without a bias, BatchNormalization",
    nodes: [makeNode("Conv", ["x", "w"], ["c"], conv), norm("n", "c", "y")],
    weights: { w: values(1, 5, 4, 3, 3), ...statistics("n", 5, 2) },
    after: ["Conv"],
  },
  {
    what: "Conv with groups, BatchNormalization, then factors and sums of each channel on either side",
    nodes: [
      makeNode("Conv", ["x", "w", "b"], ["c"], { ...conv, group: int(2) }),
      norm("n", "c", "d"),
      makeNode("Mul", ["s", "d"], ["e"]),
      makeNode("Sub", ["t", "e"], ["f"]),
      makeNode("Div", ["f", "q"], ["g"]),
      makeNode("Sub", ["g", "o"], ["h"]),
      makeNode("Add", ["h", "t"], ["y"]),
    ],
    weights: {
      w: values(1, 6, 2, 3, 3),
      b: values(9, 6),
      ...statistics("n", 6, 2),
      s: channel(3, 6),
      t: values(4, 6, 1, 1),
      q: tensor("float32", [1], Float32Array.of(-1.7)),
      o: tensor("float32", [], Float32Array.of(0.3)),
    },
    after: ["Conv"],
  },
  {
    what: "ConvTranspose with groups, BatchNormalization",
    nodes: [
      makeNode("ConvTranspose", ["x", "w", "b"], ["c"], {
        group: int(2),
        strides: ints([2, 2]),
        output_padding: ints([1, 1]),
      }),
      norm("n", "c", "y"),
    ],
    weights: { w: values(1, 4, 3, 3, 3), b: values(9, 6), ...statistics("n", 6, 2) },
    after: ["ConvTranspose"],
  },
  ...[0, 1].map((transB) => ({
    what: `Gemm with transB ${transB}, alpha, beta and C, BatchNormalization`,
    nodes: [
      makeNode("Gemm", ["x", "w", "b"], ["c"], { alpha: float(0.5), beta: float(2), transB: int(transB) }),
      norm("n", "c", "y"),
    ],
    weights: { w: transB ? values(1, 5, 4) : values(1, 4, 5), b: values(9, 1, 5), ...statistics("n", 5, 2) },
    after: ["Gemm"],
    input: matrix,
  })),
  {
    what: "MatMul, Add, Mul",
    nodes: [
      makeNode("MatMul", ["x", "w"], ["c"]),
      makeNode("Add", ["c", "b"], ["d"]),
      makeNode("Mul", ["d", "s"], ["y"]),
    ],
    weights: { w: values(1, 4, 5), b: values(2, 5), s: values(3, 5) },
    after: ["MatMul", "Add"],
    input: values(5, 2, 3, 4),
  },
  {
    what: "MatMul of rank 2, BatchNormalization",
    nodes: [makeNode("MatMul", ["x", "w"], ["c"]), norm("n", "c", "y")],
    weights: { w: values(1, 4, 5), ...statistics("n", 5, 2) },
    after: ["MatMul", "Add"],
    input: matrix,
  },
  {
    what: "MatMul of rank 3, BatchNormalization of its second axis: left alone",
    nodes: [makeNode("MatMul", ["x", "w"], ["c"]), norm("n", "c", "y")],
    weights: { w: values(1, 4, 5), ...statistics("n", 5, 2) },
    after: ["MatMul", "BatchNormalization"],
    input: values(5, 2, 5, 4),
  },
  {
    what: "Conv, Mul by a factor for each column: left alone",
    nodes: [makeNode("Conv", ["x", "w"], ["c"], conv), makeNode("Mul", ["c", "s"], ["y"])],
    weights: { w: values(1, 6, 4, 3, 3), s: values(2, 6) },
    after: ["Conv", "Mul"],
  },
  {
    what: "Conv whose output is read twice: left alone",
    nodes: [
      makeNode("Conv", ["x", "w"], ["c"], conv),
      makeNode("Mul", ["c", "s"], ["d"]),
      makeNode("Add", ["c", "d"], ["y"]),
    ],
    weights: { w: values(1, 6, 4, 3, 3), s: channel(2, 6) },
    after: ["Conv", "Mul", "Add"],
  },
  {
    what: "a weight of two Convs, only one of which is normalized",
    nodes: [makeNode("Conv", ["x", "w"], ["c"], conv), norm("n", "c", "d"), makeNode("Conv", ["d", "w"], ["y"], conv)],
    weights: { w: values(1, 4, 4, 3, 3), ...statistics("n", 4, 2) },
    after: ["Conv", "Conv"],
  },
  {
    what: "quotients and products with scalars",
    nodes: [makeNode("Div", ["x", "a"], ["c"]), makeNode("Mul", ["b", "c"], ["d"]), makeNode("Mul", ["d", "d"], ["y"])],
    weights: { a: tensor("float32", [], Float32Array.of(6)), b: tensor("float32", [1], Float32Array.of(1.37)) },
    after: ["Mul", "Mul"],
  },
  {
    what: "Identity, Dropout, Cast to the same type, in front of and behind the work",
    nodes: [
      makeNode("Identity", ["x"], ["a"]),
      makeNode("Cast", ["a"], ["b"], { to: int(1) }),
      makeNode("Relu", ["b"], ["c"]),
      makeNode("Dropout", ["c"], ["d"]),
      makeNode("Identity", ["d"], ["y"]),
    ],
    weights: {},
    after: ["Relu"],
  },
  {
    what: "arithmetic on the shape of a weight",
    nodes: [
      makeNode("Shape", ["w"], ["s"]),
      makeNode("Slice", ["s", "zero", "two"], ["front"]),
      makeNode("Gather", ["s", "last"], ["l"]),
      makeNode("Unsqueeze", ["l"], ["u"], { axes: ints([0]) }),
      makeNode("Mul", ["u", "two"], ["m"]),
      makeNode("Sub", ["m", "two"], ["k"]),
      makeNode("Div", ["k", "minus"], ["v"]),
      makeNode("Concat", ["front", "v"], ["joined"], { axis: int(0) }),
      makeNode("Cast", ["joined"], ["f"], { to: int(1) }),
      makeNode("Cast", ["f"], ["t"], { to: int(7) }),
      makeNode("Reshape", ["x", "t"], ["y"]),
    ],
    weights: {
      w: values(1, 2, 24, 7),
      zero: i64(0),
      two: i64(2),
      minus: i64(5),
      last: tensor("int64", [], BigInt64Array.of(-1n)),
    },
    after: ["Reshape"],
    opset: 11,
    input: values(0, 4, 6, 4),
  },
];

describe("fold gives the same outputs within 1e-5 and fewer nodes", () => {
  it.each(foldings.map((folding) => [folding.what, folding] as const))("%s", async (_, folding) => {
    const { nodes, weights, after, input = x, opset = 11 } = folding;
    const model = tinyModel({ opset, nodes, weights, inputs: { x: input }, outputs: { y: "float32" } });
    const folded = await fold(model);
    expect(opsOf(folded)).toEqual(after);
    await expectSameOutputs(model, folded, { x: input }, BOUND);
  });
});
