import { describe, it } from "vitest";
import { float, floats, int, ints, string } from "../../attrs.ts";
import { checkOperator, float32, int64, type OperatorCase, titleOf } from "../testing/check-operator.ts";

const image = [2, 4, 5, 6];
const positive = (value: number) => Math.abs(value) + 0.2;

const norms: OperatorCase[] = [
  { op: "BatchNormalization", in: [image, [4], [4], [4], [4]], data: positive },
  {
    op: "BatchNormalization",
    name: "of rows",
    in: [[5, 4], [4], [4], float32([0.1, 0.2, 0, -0.3]), float32([1, 2, 0.5, 1])],
    attrs: { epsilon: float(0.01) },
  },
  {
    op: "BatchNormalization",
    name: "of the batch",
    in: [image, [4], [4], float32([0, 0, 0, 0]), float32([1, 1, 1, 1])],
    attrs: { training_mode: int(1), momentum: float(0.8) },
    outputs: 3,
  },
  { op: "LayerNormalization", in: [[2, 3, 8], [8], [8]] },
  {
    op: "LayerNormalization",
    name: "over two axes, no bias",
    in: [
      [2, 3, 8],
      [3, 8],
    ],
    attrs: { axis: int(1), epsilon: float(0.01) },
  },
  { op: "InstanceNormalization", in: [image, [4], [4]] },
  { op: "GroupNormalization", name: "of opset 21", opset: 21, in: [image, [4], [4]], attrs: { num_groups: int(2) } },
  { op: "RMSNormalization", opset: 23, in: [[2, 3, 8], [8]] },
  { op: "SimplifiedLayerNormalization", in: [[2, 3, 8], [8]] },
  {
    op: "SkipLayerNormalization",
    domain: "com.microsoft",
    in: [[2, 3, 8], [2, 3, 8], [8], [8], [8]],
    attrs: { epsilon: float(1e-5) },
  },
  {
    op: "SkipSimplifiedLayerNormalization",
    domain: "com.microsoft",
    in: [[2, 3, 8], [2, 3, 8], [8]],
    attrs: { epsilon: float(1e-5) },
  },
  { op: "LpNormalization", in: [[3, 5]] },
  { op: "LpNormalization", name: "sum of sizes", in: [[3, 5]], attrs: { p: int(1), axis: int(0) } },
  { op: "MeanVarianceNormalization", in: [image] },
  { op: "LRN", in: [image], attrs: { size: int(3), alpha: float(0.3), beta: float(0.7), bias: float(2) } },
];

const none = float32([]);
const resize = (name: string, attrs: OperatorCase["attrs"], sizes = [2, 4, 8, 9]): OperatorCase => ({
  op: "Resize",
  name,
  opset: 13,
  in: [image, none, none, int64(sizes)],
  attrs: attrs ?? {},
});

const resizes: OperatorCase[] = [
  resize("nearest", {
    mode: string("nearest"),
    coordinate_transformation_mode: string("asymmetric"),
    nearest_mode: string("floor"),
  }),
  ...["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"].flatMap((mode) => [
    resize(`linear ${mode}`, { mode: string("linear"), coordinate_transformation_mode: string(mode) }),
    resize(
      `linear ${mode}, smaller`,
      { mode: string("linear"), coordinate_transformation_mode: string(mode) },
      [2, 4, 3, 4],
    ),
  ]),
  resize("cubic", { mode: string("cubic") }),
  resize("cubic without the outside", { mode: string("cubic"), exclude_outside: int(1), cubic_coeff_a: float(-0.5) }),
  ...["round_prefer_floor", "round_prefer_ceil", "ceil"].map((nearest) =>
    resize(`nearest ${nearest}`, { nearest_mode: string(nearest) }, [2, 4, 7, 11]),
  ),
  {
    op: "Resize",
    name: "by scales",
    opset: 13,
    in: [image, none, float32([1, 1, 2, 1.5])],
    attrs: { mode: string("linear") },
  },
  {
    op: "Resize",
    name: "by axes, keeping the aspect",
    opset: 18,
    in: [image, undefined, undefined, int64([10, 9])],
    attrs: { mode: string("linear"), axes: ints([2, 3]), keep_aspect_ratio_policy: string("not_larger") },
  },
  { op: "Upsample", opset: 9, in: [image, float32([1, 1, 2, 3])], attrs: { mode: string("nearest") } },
  {
    op: "Upsample",
    name: "by attribute",
    opset: 7,
    in: [image],
    attrs: { mode: string("nearest"), scales: floats([1, 1, 2, 2]) },
  },
];

describe("norms and resizing: onnxruntime's values within 1e-4, gradients of central differences", () => {
  for (const one of [...norms, ...resizes]) it(titleOf(one), () => checkOperator(one));
});
