import {
  type Attribute,
  attrs,
  type Dim,
  type Feeds,
  type Model,
  makeNode,
  type Node,
  type Tensor,
  tensor,
} from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";

/** A model whose weights have rank 2 as matrices, so that factors of rank 2 must give the same outputs. */
export interface RankTwoCase {
  readonly model: Model;
  readonly feeds: Feeds;
  /** Bytes of weights must fall; where a weight is too small for that, nothing is factored. */
  readonly factored: number;
}

const node = (
  opType: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): Node => makeNode(opType, inputs, [output], attributes, { name: `n_${output}` });

/** values[i, j] = a[i, 0] b[0, j] + a[i, 1] b[1, j] */
export const rankTwo = (rows: number, columns: number, seed: number): Float32Array => {
  const [a, b] = [gaussian([rows, 2], seed).data, gaussian([2, columns], seed + 100).data];
  return Float32Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns];
    return a[2 * i] * b[j] + a[2 * i + 1] * b[columns + j];
  });
};

const linear = (rows: number, columns: number, seed = 1) =>
  tensor("float32", [rows, columns], rankTwo(rows, columns, seed));

/** Groups of [out, in * taps] of rank 2, as [out, in, ...kernel]. */
const convWeight = (out: number, inputs: number, kernel: readonly number[], groups = 1): Tensor => {
  const columns = inputs * kernel.reduce((a, b) => a * b, 1);
  const parts = Array.from({ length: groups }, (_, g) => [...rankTwo(out / groups, columns, g + 1)]);
  return tensor("float32", [out, inputs, ...kernel], Float32Array.from(parts.flat()));
};

/** Groups of [in, out * taps] of rank 2, as [in, out / groups, ...kernel]. */
const transposedWeight = (inputs: number, out: number, kernel: readonly number[], groups = 1): Tensor => {
  const columns = (out / groups) * kernel.reduce((a, b) => a * b, 1);
  const parts = Array.from({ length: groups }, (_, g) => [...rankTwo(inputs / groups, columns, g + 1)]);
  return tensor("float32", [inputs, out / groups, ...kernel], Float32Array.from(parts.flat()));
};

interface Around {
  readonly nodes: readonly Node[];
  readonly weights: Readonly<Record<string, Tensor>>;
  readonly x: readonly number[];
  readonly factored?: number;
  readonly ids?: boolean;
}

const caseOf = ({ nodes, weights, x, factored = 1, ids = false }: Around): RankTwoCase => {
  const size = x.reduce((a, b) => a * b, 1);
  const input: Tensor = ids
    ? tensor(
        "int64",
        x,
        BigInt64Array.from({ length: size }, (_, i) => BigInt((7 * i) % 20)),
      )
    : gaussian(x, 5);
  const inputs = { x: [input.type, x as readonly Dim[]] as const };
  return { model: tinyModel({ inputs, outputs: ["y"], nodes, weights }), feeds: { x: input }, factored };
};

const { int, ints, string, float } = attrs;
const bias = gaussian([24], 8);

/** Every form in which a weight is factored. */
export const rankTwoCases: Readonly<Record<string, () => RankTwoCase>> = {
  MatMul: () => caseOf({ nodes: [node("MatMul", ["x", "w"], "y")], weights: { w: linear(20, 24) }, x: [2, 5, 20] }),
  "MatMul of a vector": () =>
    caseOf({ nodes: [node("MatMul", ["x", "w"], "y")], weights: { w: linear(20, 24) }, x: [20] }),
  "MatMul with the weight on the left": () =>
    caseOf({ nodes: [node("MatMul", ["w", "x"], "y")], weights: { w: linear(24, 20) }, x: [3, 20, 4] }),
  "MatMul through Transpose": () =>
    caseOf({
      nodes: [node("Transpose", ["w"], "t", { perm: ints([1, 0]) }), node("MatMul", ["x", "t"], "y")],
      weights: { w: linear(24, 20) },
      x: [5, 20],
    }),
  "MatMul in float16": () => {
    const made = caseOf({
      nodes: [
        node("Cast", ["x"], "h", { to: int(10) }),
        node("MatMul", ["h", "w"], "m"),
        node("Cast", ["m"], "y", { to: int(1) }),
      ],
      weights: { w: tensor("float16", [20, 24], new Uint16Array(480).fill(0x3c00)) },
      x: [5, 20],
    });
    return made;
  },
  "Gemm with bias, alpha, beta": () =>
    caseOf({
      nodes: [node("Gemm", ["x", "w", "b"], "y", { alpha: float(0.5), beta: float(2) })],
      weights: { w: linear(20, 24), b: bias },
      x: [5, 20],
    }),
  "Gemm transA, transB": () =>
    caseOf({
      nodes: [node("Gemm", ["x", "w", "b"], "y", { transA: int(1), transB: int(1) })],
      weights: { w: linear(24, 20), b: bias },
      x: [20, 5],
    }),
  "Gemm with the weight on the left, transA, transB": () =>
    caseOf({
      nodes: [node("Gemm", ["w", "x"], "y", { transA: int(1), transB: int(1) })],
      weights: { w: linear(20, 24) },
      x: [5, 20],
    }),
  "Conv 1 × 1 with bias": () =>
    caseOf({
      nodes: [node("Conv", ["x", "w", "b"], "y")],
      weights: { w: convWeight(24, 10, [1, 1]), b: bias },
      x: [2, 10, 5, 4],
    }),
  "Conv 3 × 3 with strides, pads, dilations": () =>
    caseOf({
      nodes: [
        node("Conv", ["x", "w", "b"], "y", {
          kernel_shape: ints([3, 3]),
          strides: ints([2, 1]),
          pads: ints([1, 0, 2, 1]),
          dilations: ints([1, 2]),
        }),
      ],
      weights: { w: convWeight(24, 5, [3, 3]), b: bias },
      x: [2, 5, 9, 8],
    }),
  "Conv with auto_pad": () =>
    caseOf({
      nodes: [node("Conv", ["x", "w"], "y", { auto_pad: string("SAME_UPPER"), strides: ints([2, 2]) })],
      weights: { w: convWeight(24, 5, [3, 3]) },
      x: [1, 5, 9, 8],
    }),
  "Conv in groups": () =>
    caseOf({
      nodes: [node("Conv", ["x", "w", "b"], "y", { group: int(2), pads: ints([1, 1, 1, 1]) })],
      weights: { w: convWeight(24, 4, [3, 3], 2), b: bias },
      x: [2, 8, 6, 6],
    }),
  "Conv over one axis": () =>
    caseOf({
      nodes: [node("Conv", ["x", "w"], "y", { strides: ints([2]) })],
      weights: { w: convWeight(24, 5, [5]) },
      x: [2, 5, 20],
    }),
  ConvTranspose: () =>
    caseOf({
      nodes: [node("ConvTranspose", ["x", "w", "b"], "y", { strides: ints([2, 2]), pads: ints([1, 1, 0, 0]) })],
      weights: { w: transposedWeight(10, 24, [3, 3]), b: bias },
      x: [1, 10, 4, 5],
    }),
  "ConvTranspose in groups": () =>
    caseOf({
      nodes: [
        node("ConvTranspose", ["x", "w"], "y", { strides: ints([2, 2]), group: int(2), output_padding: ints([1, 1]) }),
      ],
      weights: { w: transposedWeight(12, 16, [3, 3], 2) },
      x: [1, 12, 4, 5],
    }),
  Gather: () =>
    caseOf({ nodes: [node("Gather", ["w", "x"], "y")], weights: { w: linear(20, 24) }, x: [2, 3], ids: true }),
  "a table that is also the last matrix": () =>
    caseOf({
      nodes: [
        node("Gather", ["w", "x"], "e"),
        node("Relu", ["e"], "r"),
        node("Transpose", ["w"], "t", { perm: ints([1, 0]) }),
        node("MatMul", ["r", "t"], "y"),
      ],
      weights: { w: linear(20, 24) },
      x: [2, 3],
      ids: true,
    }),
  "a weight that two nodes use": () =>
    caseOf({
      nodes: [node("MatMul", ["x", "w"], "a"), node("Relu", ["a"], "r"), node("MatMul", ["r", "w"], "y")],
      weights: { w: linear(20, 20) },
      x: [4, 20],
    }),
  "a convolution that two nodes use": () =>
    caseOf({
      nodes: [node("Conv", ["x", "w"], "a"), node("Relu", ["a"], "r"), node("Conv", ["r", "w"], "y")],
      weights: { w: convWeight(10, 10, [2, 2]) },
      x: [1, 10, 6, 6],
    }),
  "nodes without names": () =>
    caseOf({
      nodes: [makeNode("MatMul", ["x", "w"], ["a"]), makeNode("MatMul", ["a", "v"], ["y"])],
      weights: { w: linear(20, 24), v: linear(24, 20, 3) },
      x: [5, 20],
      factored: 2,
    }),
};

/** A weight in a branch of `If`, and one around it that the branch uses. */
export const inBranch = (): RankTwoCase => {
  const branch = (name: string, weight: string) => ({
    name,
    nodes: [makeNode("MatMul", ["x", weight], [`${name}_y`], {}, { name: `${name}_m` })],
    inputs: [],
    outputs: [{ name: `${name}_y`, type: { kind: "tensor" as const, type: "float32" as const } }],
    values: [],
    weights: new Map<string, Tensor>(name === "a" ? [["own", linear(20, 24)]] : []),
    sparseWeights: [],
  });
  const made = caseOf({
    nodes: [
      makeNode(
        "If",
        ["yes"],
        ["y"],
        { then_branch: attrs.graphAttr(branch("a", "own")), else_branch: attrs.graphAttr(branch("b", "outer")) },
        { name: "if" },
      ),
    ],
    weights: { yes: tensor("bool", [], Uint8Array.of(0)), outer: linear(20, 24, 4) },
    x: [5, 20],
    factored: 2,
  });
  return made;
};
