import { describe, it } from "vitest";
import { float, int, ints, string } from "../../attrs.ts";
import { checkOperator, float32, int64, type OperatorCase, titleOf } from "../testing/check-operator.ts";

const image = [2, 4, 7, 6];
const einsum = (equation: string, ...shapes: number[][]): OperatorCase => ({
  op: "Einsum",
  name: equation,
  in: shapes,
  attrs: { equation: string(equation) },
});

const products: OperatorCase[] = [
  {
    op: "MatMul",
    in: [
      [3, 4],
      [4, 5],
    ],
  },
  {
    op: "MatMul",
    name: "of a stack and one matrix",
    in: [
      [2, 3, 4],
      [4, 5],
    ],
  },
  {
    op: "MatMul",
    name: "of two stacks that broadcast",
    in: [
      [2, 1, 3, 4],
      [5, 4, 2],
    ],
  },
  { op: "MatMul", name: "of vectors", in: [[4], [4, 3]] },
  { op: "MatMul", name: "with a vector", in: [[2, 3, 4], [4]] },
  { op: "Gemm", in: [[3, 4], [4, 5], [5]] },
  {
    op: "Gemm",
    name: "both turned",
    in: [
      [4, 3],
      [5, 4],
      [3, 1],
    ],
    attrs: { transA: int(1), transB: int(1), alpha: float(0.5), beta: float(2) },
  },
  {
    op: "Gemm",
    name: "the right one turned",
    in: [
      [3, 4],
      [5, 4],
    ],
    attrs: { transB: int(1) },
  },
  {
    op: "Gemm",
    name: "the left one turned",
    in: [
      [4, 3],
      [4, 5],
    ],
    attrs: { transA: int(1) },
  },
  {
    op: "FusedMatMul",
    domain: "com.microsoft",
    in: [
      [2, 4, 3],
      [2, 5, 4],
    ],
    attrs: { transA: int(1), transB: int(1), alpha: float(0.3) },
  },
  einsum("ij,jk->ik", [3, 4], [4, 5]),
  einsum("bhqd,bhkd->bhqk", [2, 2, 3, 4], [2, 2, 5, 4]),
  einsum("bqhd,bkhd", [2, 3, 2, 4], [2, 5, 2, 4]),
  einsum("...ij,...jk->...ik", [2, 3, 4], [2, 4, 5]),
  einsum("i,j,k->kij", [2], [3], [4]),
  einsum("ij->ji", [3, 4]),
  einsum("ijk->k", [2, 3, 4]),
];

const convolutions: OperatorCase[] = [
  { op: "Conv", in: [image, [3, 4, 3, 2], [3]], attrs: { kernel_shape: ints([3, 2]) } },
  {
    op: "Conv",
    name: "uneven pads and strides",
    in: [image, [3, 4, 3, 3]],
    attrs: { pads: ints([0, 1, 2, 1]), strides: ints([2, 1]) },
  },
  {
    op: "Conv",
    name: "dilated",
    in: [image, [3, 4, 2, 3], [3]],
    attrs: { dilations: ints([2, 2]), pads: ints([1, 1, 1, 1]) },
  },
  { op: "Conv", name: "in groups", in: [image, [6, 2, 3, 3], [6]], attrs: { group: int(2), pads: ints([1, 1, 1, 1]) } },
  {
    op: "Conv",
    name: "by channel",
    in: [image, [4, 1, 3, 3], [4]],
    attrs: { group: int(4), pads: ints([1, 1, 1, 1]), strides: ints([2, 2]) },
  },
  {
    op: "Conv",
    name: "by channel, two of each, dilated",
    in: [image, [8, 1, 2, 2]],
    attrs: { group: int(4), dilations: ints([2, 1]) },
  },
  {
    op: "Conv",
    name: "SAME_UPPER",
    in: [image, [2, 4, 3, 3]],
    attrs: { auto_pad: string("SAME_UPPER"), strides: ints([2, 2]) },
  },
  { op: "Conv", name: "SAME_LOWER", in: [image, [2, 4, 2, 2]], attrs: { auto_pad: string("SAME_LOWER") } },
  {
    op: "Conv",
    name: "of one axis",
    in: [[2, 3, 8], [4, 3, 3], [4]],
    attrs: { pads: ints([1, 0]), strides: ints([2]) },
  },
  {
    op: "Conv",
    name: "of three axes",
    in: [[1, 2, 4, 4, 3], [3, 2, 2, 3, 2], [3]],
    attrs: { pads: ints([1, 0, 0, 0, 1, 0]) },
  },
  {
    op: "ConvTranspose",
    in: [[2, 3, 4, 5], [3, 2, 3, 3], [2]],
    attrs: { strides: ints([2, 2]), pads: ints([1, 0, 0, 1]) },
  },
  {
    op: "ConvTranspose",
    name: "more beyond",
    in: [
      [1, 3, 4, 4],
      [3, 2, 3, 3],
    ],
    attrs: { strides: ints([2, 2]), pads: ints([1, 1, 1, 1]), output_padding: ints([1, 1]) },
  },
  {
    op: "ConvTranspose",
    name: "in groups, dilated",
    in: [[1, 4, 3, 3], [4, 2, 2, 2], [4]],
    attrs: { group: int(2), dilations: ints([2, 1]) },
  },
  {
    op: "ConvTranspose",
    name: "of one axis",
    in: [[2, 3, 5], [3, 2, 4], [2]],
    attrs: { strides: ints([2]), pads: ints([1, 1]) },
  },
  {
    op: "ConvTranspose",
    name: "of an asked shape",
    in: [
      [1, 2, 4, 4],
      [2, 2, 3, 3],
    ],
    attrs: { strides: ints([2, 2]), output_shape: ints([8, 8]) },
  },
];

const pools = ["MaxPool", "AveragePool"].flatMap((op): OperatorCase[] => [
  { op, apart: true, in: [image], attrs: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) } },
  {
    op,
    apart: true,
    name: "padded",
    in: [image],
    attrs: { kernel_shape: ints([3, 2]), strides: ints([2, 1]), pads: ints([1, 0, 1, 1]) },
  },
  {
    op,
    apart: true,
    name: "to the last element",
    in: [image],
    attrs: { kernel_shape: ints([3, 3]), strides: ints([2, 2]), ceil_mode: int(1) },
  },
  {
    op,
    apart: true,
    name: "of one axis",
    in: [[2, 3, 9]],
    attrs: { kernel_shape: ints([3]), strides: ints([2]), pads: ints([1, 1]) },
  },
  {
    op,
    apart: true,
    name: "of three axes",
    in: [[1, 2, 4, 5, 4]],
    attrs: { kernel_shape: ints([2, 3, 2]), strides: ints([2, 1, 2]) },
  },
]);

const nets: OperatorCase[] = [
  ...convolutions,
  ...pools,
  {
    op: "MaxPool",
    name: "dilated",
    apart: true,
    in: [image],
    attrs: { kernel_shape: ints([2, 2]), dilations: ints([2, 2]) },
  },
  {
    op: "AveragePool",
    name: "counting pads",
    in: [image],
    attrs: { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]), count_include_pad: int(1) },
  },
  ...["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"].map((op) => ({ op, apart: true, in: [image] })),
  { op: "GlobalAveragePool", name: "of one axis", in: [[2, 3, 5]] },
];

const losses = ["mean", "sum", "none"].flatMap((reduction): OperatorCase[] => [
  {
    op: "SoftmaxCrossEntropyLoss",
    name: reduction,
    in: [[3, 5], int64([1, 4, 0])],
    attrs: { reduction: string(reduction) },
  },
  {
    op: "NegativeLogLikelihoodLoss",
    name: `${reduction}, weighed, one ignored`,
    in: [[3, 5], int64([1, 4, 2]), float32([1, 2, 1, 0.5, 3])],
    attrs: { reduction: string(reduction), ignore_index: int(2) },
  },
]);

describe("operators that contract: onnxruntime's values within 1e-4, gradients of central differences", () => {
  for (const one of [...products, ...nets, ...losses]) it(titleOf(one), () => checkOperator(one));
});
