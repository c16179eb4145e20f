import { describe, expect, it } from "vitest";
import { expectSameOutputs, tinyModel } from "../../test/run-model.ts";
import { float, floats, int, ints, makeNode, string } from "../attrs.ts";
import type { Attribute } from "../model.ts";
import { sizeOf, type Tensor, tensor } from "../tensor.ts";
import { SCHEMA_CHANGES } from "./table.ts";
import { upgradeOpset } from "./upgrade-opset.ts";

const BOUND = 1e-5;

/** Values of both signs, no two alike, in an order that is not sorted. */
const ramp = (dims: readonly number[]): Tensor => {
  const size = sizeOf(dims);
  return tensor(
    "float32",
    dims,
    Float32Array.from({ length: size }, (_, i) => ((i * 37) % 101) / 17 - 2.7),
  );
};
const positive = (dims: readonly number[]) =>
  tensor(
    "float32",
    dims,
    (ramp(dims).data as Float32Array).map((value) => Math.abs(value) + 0.5),
  );
const f32 = (...values: number[]) => tensor("float32", [values.length], Float32Array.from(values));
const i64 = (...values: number[]) => tensor("int64", [values.length], BigInt64Array.from(values.map(BigInt)));

interface Case {
  readonly op: string;
  readonly from: number;
  readonly dims: readonly number[];
  readonly attributes?: Readonly<Record<string, Attribute | undefined>>;
  /** The newest opset in which onnxruntime has the operator. */
  readonly until?: number;
  readonly weights?: Record<string, Tensor>;
  readonly outputs?: Record<string, Tensor["type"]>;
  readonly input?: Tensor;
}

const reductions = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"];
const image = [2, 3, 6, 5];
const two = { y: "float32", z: "float32" } as const;
const scales = (...values: number[]) => ({ s: f32(...values) });

const cases: Case[] = [
  ...["Softmax", "LogSoftmax", "Hardmax"].flatMap((op) =>
    [7, 11].flatMap((from) => [
      { op, from, dims: [3, 4] },
      { op, from, dims: [2, 3, 4] },
      { op, from, dims: [2, 3, 4], attributes: { axis: int(0) } },
      { op, from, dims: [2, 3, 4], attributes: { axis: int(2) } },
      { op, from, dims: [2, 3, 4, 2], attributes: { axis: int(2) } },
      ...(from === 11 ? [-1, -2].map((axis) => ({ op, from, dims: [2, 3, 4], attributes: { axis: int(axis) } })) : []),
    ]),
  ),
  ...reductions.flatMap((name) => [
    {
      op: `Reduce${name}`,
      from: 7,
      dims: [2, 3, 4],
      input: positive([2, 3, 4]),
    },
    {
      op: `Reduce${name}`,
      from: 11,
      dims: [2, 3, 4],
      attributes: { axes: ints([-1, 0]), keepdims: int(0) },
      input: positive([2, 3, 4]),
    },
  ]),
  { op: "Squeeze", from: 7, dims: [1, 3, 1, 4] },
  { op: "Squeeze", from: 11, dims: [1, 3, 1, 4], attributes: { axes: ints([-2]) } },
  { op: "Unsqueeze", from: 7, dims: [3, 4], attributes: { axes: ints([0, 2]) } },
  { op: "Unsqueeze", from: 11, dims: [3, 4], attributes: { axes: ints([-1]) } },
  { op: "Clip", from: 7, dims: [5, 7], attributes: { min: float(-1), max: float(0.5) } },
  { op: "Clip", from: 7, dims: [5, 7], attributes: { max: float(0.5) } },
  { op: "Clip", from: 7, dims: [5, 7], attributes: { min: float(0.1) } },
  { op: "Clip", from: 7, dims: [5, 7] },
  {
    op: "Clip",
    from: 7,
    dims: [4],
    attributes: { min: float(-1) },
    input: tensor("float16", [4], Uint16Array.of(0x3c00, 0xc000, 0x4200, 0x8000)),
    outputs: { y: "float16" },
  },
  { op: "Pad", from: 7, dims: [2, 3], attributes: { pads: ints([0, 1, 2, 1]), value: float(3.5) } },
  { op: "Pad", from: 7, dims: [2, 3], attributes: { pads: ints([0, 1, 0, -1]) } },
  { op: "Pad", from: 7, dims: [4, 4], attributes: { pads: ints([0, 1, 2, 1]), mode: string("reflect") } },
  { op: "Pad", from: 7, dims: [4, 4], attributes: { pads: ints([0, 1, 2, 1]), mode: string("edge") } },
  { op: "Slice", from: 7, dims: [6, 5], attributes: { starts: ints([1, -3]), ends: ints([2 ** 31 - 1, -1]) } },
  {
    op: "Slice",
    from: 9,
    dims: [6, 5],
    attributes: { starts: ints([1]), ends: ints([9223372036854775807n]), axes: ints([1]) },
  },
  { op: "Split", from: 7, dims: [6, 5], outputs: two },
  { op: "Split", from: 11, dims: [6, 5], attributes: { split: ints([2, 3]), axis: int(-1) }, outputs: two },
  { op: "Split", from: 13, dims: [6, 5], outputs: two },
  { op: "TopK", from: 7, dims: [3, 8], attributes: { k: int(3) }, outputs: { y: "float32", z: "int64" } },
  { op: "TopK", from: 9, dims: [8, 3], attributes: { k: int(2), axis: int(0) }, outputs: { y: "float32", z: "int64" } },
  ...["nearest", "linear"].flatMap((mode) => [
    { op: "Upsample", from: 7, dims: image, attributes: { mode: string(mode), scales: floats([1, 1, 2, 3]) } },
    { op: "Upsample", from: 7, dims: image, attributes: { mode: string(mode), scales: floats([1, 1, 1.6, 1.3]) } },
    { op: "Upsample", from: 9, dims: image, attributes: { mode: string(mode) }, weights: scales(1, 1, 2, 2) },
    { op: "Resize", from: 10, dims: image, attributes: { mode: string(mode) }, weights: scales(1, 1, 2, 2) },
    { op: "Resize", from: 10, dims: image, attributes: { mode: string(mode) }, weights: scales(1, 1, 1.7, 2.3) },
    { op: "Resize", from: 10, dims: image, attributes: { mode: string(mode) }, weights: scales(1, 1, 0.5, 0.6) },
    { op: "Resize", from: 10, dims: image, attributes: { mode: string(mode) }, weights: scales(1, 1, 0.7, 1.9) },
  ]),
  ...["nearest", "linear", "cubic"].flatMap((mode) =>
    ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"].map((coordinates) => ({
      op: "Resize",
      from: 11,
      dims: image,
      attributes: { mode: string(mode), coordinate_transformation_mode: string(coordinates) },
      weights: { r: f32(), s: f32(1, 1, 1.7, 0.6) },
    })),
  ),
  { op: "Resize", from: 11, dims: image, weights: { r: f32(), s: f32(), t: i64(2, 3, 9, 4) } },
  {
    op: "Resize",
    from: 11,
    dims: [1, 1, 6, 5],
    attributes: {
      mode: string("linear"),
      coordinate_transformation_mode: string("tf_crop_and_resize"),
      extrapolation_value: float(2),
    },
    weights: { r: f32(0, 0, 0.2, 0.1, 1, 1, 0.8, 1.2), s: f32(1, 1, 1.5, 2) },
  },
  ...[7, 9, 14].map((from) => ({
    op: "BatchNormalization",
    from,
    dims: image,
    attributes: { epsilon: float(1e-3) },
    weights: { a: f32(1, -2, 0.5), b: f32(0.1, 0, -1), m: f32(0.3, 0.2, -0.7), v: f32(0.5, 2, 1.1) },
  })),
  {
    op: "BatchNormalization",
    from: 7,
    dims: image,
    attributes: { spatial: int(1) },
    weights: { a: f32(1, -2, 0.5), b: f32(0.1, 0, -1), m: f32(0.3, 0.2, -0.7), v: f32(0.5, 2, 1.1) },
  },
  ...[7, 10, 12].map((from) => ({
    op: "Dropout",
    from,
    dims: [3, 4],
    attributes: from < 12 ? { ratio: float(0.4) } : {},
  })),
  {
    op: "Scatter",
    from: 9,
    dims: [3, 4],
    attributes: { axis: int(1) },
    weights: { i: tensor("int64", [3, 1], BigInt64Array.of(1n, 3n, 0n)), u: ramp([3, 1]) },
  },
  {
    op: "Gemm",
    from: 7,
    dims: [2, 3],
    attributes: { alpha: float(0.5), transB: int(1) },
    weights: { w: ramp([4, 3]), c: f32(1, 2, 3, 4) },
  },
  {
    op: "RoiAlign",
    until: 21,
    from: 10,
    dims: [1, 2, 9, 9],
    attributes: { output_height: int(3), output_width: int(2), spatial_scale: float(0.5), sampling_ratio: int(2) },
    weights: { r: tensor("float32", [1, 4], Float32Array.of(1, 2, 13, 15)), b: i64(0) },
  },
  ...["bilinear", "nearest", "bicubic", undefined].map((mode) => ({
    op: "GridSample",
    from: 16,
    dims: [1, 2, 5, 6],
    attributes: mode ? { mode: string(mode) } : {},
    weights: {
      g: tensor("float32", [1, 3, 2, 2], Float32Array.of(-1, -0.4, 0.3, 0.2, 1.1, 0.9, -0.2, 0.7, 0, 0.1, 0.6, -0.8)),
    },
  })),
  { op: "DFT", from: 17, dims: [2, 4, 3, 1] },
  { op: "DFT", from: 17, dims: [2, 4, 3, 1], attributes: { axis: int(2) } },
  {
    op: "GroupNormalization",
    from: 18,
    dims: [2, 6, 3, 4],
    attributes: { num_groups: int(3) },
    weights: { a: f32(1, -2, 0.5), b: f32(0.1, 3, -1) },
  },
  {
    op: "AveragePool",
    from: 7,
    dims: image,
    attributes: {
      kernel_shape: ints([3, 3]),
      strides: ints([2, 2]),
      pads: ints([1, 1, 1, 1]),
      count_include_pad: int(1),
    },
  },
  {
    op: "AveragePool",
    from: 10,
    dims: image,
    attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]), ceil_mode: int(1) },
  },
  ...[0, 1].flatMap((countPadding) =>
    [0, 1].map((pad) => ({
      op: "AveragePool",
      from: 10,
      dims: [1, 2, 6, 6],
      attributes: {
        kernel_shape: ints([3, 3]),
        strides: ints([2, 2]),
        pads: ints([pad, pad, pad, pad]),
        ceil_mode: int(1),
        count_include_pad: int(countPadding),
      },
    })),
  ),
  {
    op: "MaxPool",
    from: 8,
    dims: image,
    attributes: { kernel_shape: ints([2, 3]), strides: ints([2, 2]) },
    outputs: { y: "float32", z: "int64" },
  },
  { op: "DepthToSpace", from: 7, dims: [1, 8, 2, 3], attributes: { blocksize: int(2) } },
  {
    op: "QuantizeLinear",
    from: 10,
    dims: [4, 5],
    weights: { s: tensor("float32", [], Float32Array.of(0.05)), z: tensor("uint8", [], Uint8Array.of(100)) },
    outputs: { y: "uint8" },
  },
  { op: "ArgMax", from: 7, dims: [3, 8], attributes: { axis: int(1) }, outputs: { y: "int64" } },
  {
    op: "LSTM",
    from: 7,
    dims: [4, 1, 3],
    attributes: { hidden_size: int(2) },
    weights: { w: ramp([1, 8, 3]), r: ramp([1, 8, 2]) },
    outputs: two,
  },
  { op: "Gather", from: 7, dims: [5, 4], attributes: { axis: int(1) }, weights: { i: i64(3, 0) } },
  { op: "Shape", from: 7, dims: [5, 4], outputs: { y: "int64" } },
  { op: "Reshape", from: 7, dims: [5, 4], weights: { s: i64(0, 2, -1) } },
];

const given = (attributes: NonNullable<Case["attributes"]>) =>
  Object.fromEntries(Object.entries(attributes).flatMap(([name, a]) => (a ? [[name, a] as const] : [])));

const modelOf = (
  { op, from, dims, attributes = {}, weights = {}, outputs = { y: "float32" }, input }: Case,
  irVersion = 4,
) => {
  const x = input ?? ramp(dims);
  const inputs = ["x", ...Object.keys(weights)];
  const nodes = [makeNode(op, inputs, Object.keys(outputs), given(attributes), { name: "it" })];
  return { model: tinyModel({ opset: from, irVersion, nodes, inputs: { x }, outputs, weights }), feeds: { x } };
};

const targetsOf = ({ op, from, until = 24 }: Case) => {
  const changes = SCHEMA_CHANGES[op].map((change) => (typeof change === "number" ? change : change[0]));
  return [...new Set([...changes, 13, 18, 21, 24])].filter((target) => target > from && target <= until);
};

const text = ({ op, from, dims, attributes = {}, weights = {} }: Case) =>
  `${op} ${from} [${dims.join(", ")}] ${[...Object.entries(given(attributes)).map(([name, a]) => `${name}=${a.kind === "string" ? new TextDecoder().decode(a.value) : a.value}`), ...Object.entries(weights).map(([name, t]) => `${name}=[${t.dims}]`)].join(" ")}`;

describe("upgradeOpset keeps the outputs within 1e-5 at every opset where the operator changed", () => {
  it.each(cases.map((c) => [text(c), c] as const))("%s", async (_, c) => {
    const { model, feeds } = modelOf(c);
    for (const target of targetsOf(c)) {
      const upgraded = upgradeOpset(model, target);
      expect(upgraded.opsets.get("")).toBe(target);
      await expectSameOutputs(model, upgraded, feeds, BOUND);
    }
  });
});
