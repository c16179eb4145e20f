import { describe, it } from "vitest";
import { float, int, string } from "../../attrs.ts";
import { bool, checkOperator, float32, type OperatorCase, titleOf } from "../testing/check-operator.ts";

const positive = (value: number) => Math.abs(value) + 0.2;
const inside = (value: number) => Math.tanh(value) * 0.9;
const above = (value: number) => 1.2 + Math.abs(value);
const dims = [2, 3, 4];
const flat = false;

const cases: OperatorCase[] = [
  ...["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean"].map((op) => ({ op, in: [dims, dims] })),
  ...["Add", "Sub", "Mul", "Div"].map((op) => ({ op, name: "broadcast", in: [dims, [3, 1]] })),
  { op: "Sum", name: "of three", in: [dims, [4], [2, 1, 1]] },
  { op: "Pow", name: "of a constant 2", in: [dims, float32([2], [])] },
  { op: "Pow", name: "of a constant 0.5", in: [dims, float32([0.5], [])], data: positive },
  { op: "Pow", name: "of a tensor", in: [dims, dims], data: positive },
  { op: "Mod", name: "of floats", in: [dims, [4]], attrs: { fmod: int(1) }, data: (v) => v * 3 },
  ...["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"].map((op) => ({ op, in: [dims, dims] })),
  ...["And", "Or", "Xor"].map((op) => ({ op, in: [bool([1, 1, 0, 0]), bool([1, 0, 1, 0])] })),
  { op: "Where", in: [bool([1, 0, 1, 0]), dims, dims] },
  ...["Acos", "Asin", "Atanh"].map((op) => ({ op, in: [dims], data: inside })),
  { op: "Acosh", in: [dims], data: above },
  ...["Abs", "Asinh", "Atan", "Cos", "Cosh", "Erf", "Exp", "Identity", "Neg", "Reciprocal", "Sin", "Sinh", "Tan"].map(
    (op) => ({ op, in: [dims], data: inside }),
  ),
  ...["Log", "Sqrt"].map((op) => ({ op, in: [dims], data: positive })),
  ...["Ceil", "Floor", "Round", "Sign"].map((op) => ({ op, in: [dims], gradient: flat })),
  { op: "Round", name: "halves to even", in: [[4]], data: (v) => Math.round(v * 4) + 0.5, gradient: flat },
  ...["IsInf", "IsNaN"].map((op) => ({ op, in: [float32([1, Number.POSITIVE_INFINITY, Number.NaN])] })),
  { op: "IsInf", name: "below only", in: [float32([-Infinity, Infinity, 1])], attrs: { detect_positive: int(0) } },
  { op: "Not", in: [bool([1, 0])] },
  { op: "Cast", name: "to float", in: [dims], attrs: { to: int(1) } },
  { op: "Cast", name: "to whole numbers, towards zero", in: [dims], attrs: { to: int(6) }, data: (v) => v * 5 },
  { op: "CastLike", in: [dims, float32([1])] },
  { op: "Clip", in: [dims, float32([-0.5], []), float32([0.7], [])] },
  { op: "Clip", name: "by attributes", opset: 9, in: [dims], attrs: { min: float(-0.4), max: float(0.6) } },
  { op: "Clip", name: "below only", in: [dims, float32([-0.5], [])] },
  { op: "Relu", in: [dims] },
  { op: "LeakyRelu", in: [dims], attrs: { alpha: float(0.2) } },
  { op: "PRelu", in: [dims, [3, 1]] },
  { op: "Elu", in: [dims], attrs: { alpha: float(0.7) } },
  { op: "Selu", in: [dims] },
  { op: "Celu", in: [dims], attrs: { alpha: float(0.6) } },
  { op: "ThresholdedRelu", in: [dims], attrs: { alpha: float(0.5) } },
  { op: "Shrink", in: [dims], attrs: { lambd: float(0.5), bias: float(0.2) } },
  ...["Sigmoid", "Tanh", "Softplus", "Softsign", "HardSigmoid", "HardSwish"].map((op) => ({ op, in: [dims] })),
  { op: "HardSigmoid", name: "steeper", in: [dims], attrs: { alpha: float(0.4), beta: float(0.3) } },
  { op: "Mish", opset: 18, in: [dims] },
  { op: "Gelu", opset: 20, in: [dims] },
  { op: "Gelu", name: "tanh", opset: 20, in: [dims], attrs: { approximate: string("tanh") } },
  ...["Gelu", "FastGelu", "QuickGelu"].map((op) => ({ op, domain: "com.microsoft", in: [dims] })),
  ...["BiasGelu", "FastGelu"].map((op) => ({ op, name: "with bias", domain: "com.microsoft", in: [dims, [4]] })),
  ...["Softmax", "LogSoftmax"].flatMap((op) => [
    { op, in: [dims] },
    { op, name: "along axis 1", in: [dims], attrs: { axis: int(1) } },
    { op, name: "of opset 9, over all axes from 1 on", opset: 9, in: [dims], attrs: { axis: int(1) } },
  ]),
  { op: "Hardmax", in: [dims], gradient: flat },
  { op: "Dropout", name: "at rest", in: [dims] },
];

describe("operators on single elements: onnxruntime's values within 1e-4, gradients of central differences", () => {
  for (const one of cases) it(titleOf(one), () => checkOperator(one));
});
