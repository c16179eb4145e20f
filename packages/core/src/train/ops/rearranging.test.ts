import { describe, it } from "vitest";
import { int, ints, string, tensorAttr } from "../../attrs.ts";
import { tensor } from "../../tensor.ts";
import { checkOperator, float32, int64, type OperatorCase, titleOf } from "../testing/check-operator.ts";

const dims = [2, 3, 4];
const image = [2, 4, 4, 6];
const positive = (value: number) => Math.abs(value) + 0.2;
const flat = false;

const reduce = (op: string): OperatorCase[] => {
  const data = op === "ReduceLogSum" ? { data: positive } : { apart: op === "ReduceMax" || op === "ReduceMin" };
  return [
    { op, name: "axis 1", opset: 18, in: [dims, int64([1])], ...data },
    { op, name: "two axes, dropped", opset: 18, in: [dims, int64([0, -1])], attrs: { keepdims: int(0) }, ...data },
    { op, name: "all axes", opset: 18, in: [dims], ...data },
  ];
};

const cases: OperatorCase[] = [
  ...["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"].flatMap((name) =>
    reduce(`Reduce${name}`),
  ),
  { op: "ReduceSum", name: "axes as an attribute", opset: 11, in: [dims], attrs: { axes: ints([2]) } },
  { op: "ReduceSum", name: "nothing", in: [dims, int64([])], attrs: { noop_with_empty_axes: int(1) } },
  ...["ArgMax", "ArgMin"].map((op) => ({ op, in: [dims], attrs: { axis: int(1) } })),
  { op: "ArgMax", name: "last of equal ones", in: [float32([1, 3, 3, 2])], attrs: { select_last_index: int(1) } },
  { op: "CumSum", in: [dims, int64([1], [])] },
  {
    op: "CumSum",
    name: "backwards, without itself",
    in: [dims, int64([2], [])],
    attrs: { exclusive: int(1), reverse: int(1) },
  },
  { op: "TopK", apart: true, in: [[3, 7], int64([3])], outputs: 2 },
  {
    op: "TopK",
    name: "least, along axis 0",
    apart: true,
    in: [[5, 2], int64([2])],
    outputs: 2,
    attrs: { axis: int(0), largest: int(0) },
  },

  { op: "Reshape", in: [dims, int64([0, -1])] },
  { op: "Flatten", in: [[2, 3, 4, 5]], attrs: { axis: int(2) } },
  { op: "Squeeze", in: [[1, 3, 1, 2], int64([0])] },
  { op: "Squeeze", name: "all", in: [[1, 3, 1, 2]] },
  { op: "Unsqueeze", in: [dims, int64([0, -1])] },
  { op: "Transpose", in: [dims] },
  { op: "Transpose", name: "in an order", in: [dims], attrs: { perm: ints([1, 2, 0]) } },
  { op: "Concat", in: [dims, [2, 1, 4], [2, 2, 4]], attrs: { axis: int(1) } },
  { op: "Split", in: [[2, 7], int64([2, 5])], outputs: 2, attrs: { axis: int(1) } },
  { op: "Split", name: "in equal parts", opset: 18, in: [[7, 2]], outputs: 3, attrs: { num_outputs: int(3) } },
  { op: "Slice", in: [dims, int64([1, -3]), int64([9, -1]), int64([1, 2])] },
  { op: "Slice", name: "every second", in: [[7, 5], int64([1, 0]), int64([7, 5]), int64([0, 1]), int64([2, 3])] },
  { op: "Slice", name: "backwards", in: [[7, 5], int64([-1, 4]), int64([-99, 0]), int64([0, 1]), int64([-2, -1])] },
  { op: "Expand", in: [[3, 1], int64([2, 1, 4])] },
  { op: "Tile", in: [[2, 3], int64([2, 3])] },
  { op: "Pad", in: [dims, int64([0, 1, 2, 1, 0, 0]), float32([0.5], [])] },
  { op: "Pad", name: "cuts below zero", in: [dims, int64([0, -1, 1, 0, 0, -1])] },
  ...["reflect", "edge"].map((mode) => ({
    op: "Pad",
    name: mode,
    in: [dims, int64([0, 1, 2, 0, 1, 1])],
    attrs: { mode: string(mode) },
  })),
  { op: "DepthToSpace", in: [[2, 8, 2, 3]], attrs: { blocksize: int(2) } },
  { op: "DepthToSpace", name: "CRD", in: [[2, 8, 2, 3]], attrs: { blocksize: int(2), mode: string("CRD") } },
  { op: "SpaceToDepth", in: [image], attrs: { blocksize: int(2) } },
  { op: "Trilu", in: [[2, 4, 4]] },
  { op: "Trilu", name: "lower, one below", in: [[4, 5], int64([-1], [])], attrs: { upper: int(0) } },
  { op: "OneHot", in: [int64([0, 2, -1]), int64([4], []), float32([0.5, 2])] },
  { op: "OneHot", name: "in front", in: [int64([0, 2]), int64([3], []), float32([0, 1])], attrs: { axis: int(0) } },
  { op: "EyeLike", in: [[3, 4]], attrs: { k: int(1) }, gradient: flat },
  { op: "Shape", in: [dims] },
  { op: "Size", in: [dims] },
  { op: "ConstantOfShape", in: [int64([2, 3])], attrs: { value: tensorAttr(float32([0.5])) } },
  { op: "Constant", in: [], attrs: { value: tensorAttr(float32([1, 2])) } },
  { op: "Range", in: [int64([1], []), int64([9], []), int64([3], [])] },

  { op: "Gather", in: [dims, int64([1, 0, -1], [3])], attrs: { axis: int(1) } },
  { op: "Gather", name: "of a table", in: [[5, 3], int64([4, 0, 4, 1], [2, 2])] },
  { op: "Gather", name: "one", in: [dims, int64([-1], [])], attrs: { axis: int(2) } },
  { op: "GatherElements", in: [[3, 4], int64([0, -1, 2, 2, 1, 0], [3, 2])], attrs: { axis: int(1) } },
  { op: "GatherND", in: [dims, int64([0, 1, 1, -1], [2, 2])] },
  { op: "GatherND", name: "within a batch", in: [dims, int64([2, 0], [2, 1])], attrs: { batch_dims: int(1) } },
  { op: "ScatterElements", in: [[3, 4], int64([0, -1, 2, 1], [2, 2]), [2, 2]], attrs: { axis: int(1) } },
  {
    op: "ScatterElements",
    name: "added",
    opset: 16,
    in: [[4, 2], int64([1, 1, 1, 0], [2, 2]), [2, 2]],
    attrs: { reduction: string("add") },
  },
  { op: "ScatterND", in: [[4, 3], int64([2, 0], [2, 1]), [2, 3]] },
  {
    op: "ScatterND",
    name: "added",
    opset: 16,
    in: [[4, 3], int64([2, 2], [2, 1]), [2, 3]],
    attrs: { reduction: string("add") },
  },
  {
    op: "DequantizeLinear",
    in: [tensor("int8", [2, 3], Int8Array.of(-5, 0, 7, 9, -128, 127)), [2], tensor("int8", [2], Int8Array.of(1, -2))],
    attrs: { axis: int(0) },
  },
  { op: "QuantizeLinear", in: [dims, float32([0.1], []), tensor("uint8", [], Uint8Array.of(120))], gradient: flat },
];

describe("operators that reduce and rearrange: onnxruntime's values within 1e-4, gradients of central differences", () => {
  for (const one of cases) it(titleOf(one), () => checkOperator(one));
});
