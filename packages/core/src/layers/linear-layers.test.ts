import { describe, it } from "vitest";
import { expectNaive, expectRoundTrip, type LayerCase, node, oneLayer, waves } from "../../test/layer-cases.ts";
import { attention, linear, stackedLinear, turned, type Values } from "../../test/naive-layers.ts";
import { float, int, ints, makeNode, string } from "../attrs.ts";

const relu = ({ dims, values }: Values): Values => ({ dims, values: Array.from(values, (v) => Math.max(0, v)) });
const left = (x: Values, w: Values) => turned(linear(turned(x), w));
const b = waves([4], 2);
const biased = (x: Values, w: Values) => linear(x, w, b.data as Float32Array);

const X = waves([3, 5], 3);
const turnedX = waves([5, 3], 3);
const W = waves([4, 5]);
const turnedW = waves([5, 4]);
const DIMS = [4, 5];
const flags = [0, 1] as const;

const cases: readonly LayerCase[] = [
  oneLayer("MatMul", node("MatMul", ["x", "w"]), X, turnedW, DIMS, linear),
  oneLayer("MatMul with the weight on the left", node("MatMul", ["w", "x"]), turnedX, W, DIMS, left),
  oneLayer(
    "MatMul of a stack of matrices",
    node("MatMul", ["x", "w"]),
    waves([2, 3, 5], 3),
    waves([2, 5, 4]),
    [8, 5],
    stackedLinear,
  ),
  oneLayer(
    "MatMul whose weight comes through Transpose and Identity",
    [
      makeNode("Transpose", ["w"], ["t"], { perm: ints([1, 0]) }),
      makeNode("Identity", ["t"], ["u"]),
      node("MatMul", ["x", "u"]),
    ],
    X,
    W,
    DIMS,
    linear,
  ),
  ...flags.flatMap((transB) =>
    flags.map((transA) =>
      oneLayer(
        `Gemm, transA ${transA}, transB ${transB}`,
        node("Gemm", ["x", "w", "b"], { transA: int(transA), transB: int(transB) }),
        transA ? turnedX : X,
        transB ? W : turnedW,
        DIMS,
        (x, w) => biased(transA ? turned(x) : x, w),
        { b },
      ),
    ),
  ),
  ...flags.flatMap((transB) =>
    flags.map((transA) =>
      oneLayer(
        `Gemm with the weight on the left, transA ${transA}, transB ${transB}`,
        node("Gemm", ["w", "x"], { transA: int(transA), transB: int(transB) }),
        transB ? X : turnedX,
        transA ? turnedW : W,
        DIMS,
        (x, w) => left(transB ? turned(x) : x, w),
      ),
    ),
  ),
  ...flags.map((transB) =>
    oneLayer(
      `FusedMatMul, transB ${transB}`,
      node("com.microsoft::FusedMatMul", ["x", "w"], { transB: int(transB), alpha: float(0.5) }),
      X,
      transB ? W : turnedW,
      DIMS,
      ({ dims, values }, w) => linear({ dims, values: Array.from(values, (v) => v / 2) }, w),
    ),
  ),
  ...flags.map((transA) =>
    oneLayer(
      `FusedMatMul with the weight on the left, transA ${transA}`,
      node("com.microsoft::FusedMatMul", ["w", "x"], { transA: int(transA) }),
      turnedX,
      transA ? turnedW : W,
      DIMS,
      left,
    ),
  ),
  oneLayer(
    "FusedGemm",
    node("com.microsoft::FusedGemm", ["x", "w", "b"], { transB: int(1), activation: string("Relu") }),
    X,
    W,
    DIMS,
    (x, w) => relu(biased(x, w)),
    { b },
  ),
  oneLayer(
    "Attention with q, k and v in one matrix",
    node("com.microsoft::Attention", ["x", "w", "b"], { num_heads: int(1) }),
    waves([1, 3, 5], 3),
    waves([5, 12]),
    [12, 5],
    ({ values }, w) => attention(linear({ dims: [3, 5], values }, w, waves([12], 2).data as Float32Array)),
    { b: waves([12], 2) },
  ),
];

describe("weights of linear layers as [out, in]", () => {
  it.each(cases)("$name: x Wᵀ is onnxruntime's output within 1e-5", expectNaive);
  it.each(cases)("$name: writing what was read gives the file's tensor", expectRoundTrip);
});
