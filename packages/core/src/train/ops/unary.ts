import { intOf } from "../../attrs.ts";
import { type DataType, dataTypeOfCode } from "../../tensor.ts";
import { type Call, given, int, isImage, type Operator, x } from "../call.ts";
import type { Tf, TfTensor } from "../tf.ts";
import { channelsLast } from "../value.ts";

export type Unary = (tf: Tf, a: TfTensor, call: Call) => TfTensor;

/** An operator on single elements: it does not ask how the axes lie. */
export const unary =
  (f: Unary): Operator =>
  (call) => {
    const value = given(call, 0);
    if (isImage(call) && value.kind === "device") return channelsLast(f(call.tf, value.tensor, call));
    return f(call.tf, x(call), call);
  };

const castTo = (tf: Tf, a: TfTensor, type: DataType | undefined): TfTensor => {
  if (type === "bool") return a.dtype === "bool" ? a : tf.notEqual(a, tf.scalar(0, a.dtype as "float32"));
  if (type?.startsWith("float") || type === "bfloat16") return a.dtype === "float32" ? a : tf.cast(a, "float32");
  return tf.cast(a, "int32");
};

const castLike: Operator = (call) => {
  const like = x(call, 1).dtype;
  return unary((tf, a) => castTo(tf, a, like === "float32" ? "float32" : like === "bool" ? "bool" : "int32"))(call);
};

const isInf: Unary = (tf, a, call) => {
  const [below, above] = [int(call, "detect_negative", 1) !== 0, int(call, "detect_positive", 1) !== 0];
  const infinite = tf.isInf(a);
  if (below && above) return infinite;
  return tf.logicalAnd(infinite, below ? tf.less(a, 0) : tf.greater(a, 0));
};

export const unaries: Readonly<Record<string, Operator>> = {
  Abs: unary((tf, a) => tf.abs(a)),
  Acos: unary((tf, a) => tf.acos(a)),
  Acosh: unary((tf, a) => tf.acosh(a)),
  Asin: unary((tf, a) => tf.asin(a)),
  Asinh: unary((tf, a) => tf.asinh(a)),
  Atan: unary((tf, a) => tf.atan(a)),
  Atanh: unary((tf, a) => tf.atanh(a)),
  Cast: unary((tf, a, { node }) => castTo(tf, a, dataTypeOfCode(intOf(node, "to", 1)))),
  CastLike: castLike,
  Ceil: unary((tf, a) => tf.ceil(a)),
  Cos: unary((tf, a) => tf.cos(a)),
  Cosh: unary((tf, a) => tf.cosh(a)),
  Erf: unary((tf, a) => tf.erf(a)),
  Exp: unary((tf, a) => tf.exp(a)),
  Floor: unary((tf, a) => tf.floor(a)),
  Identity: unary((_, a) => a),
  IsInf: unary(isInf),
  IsNaN: unary((tf, a) => tf.isNaN(a)),
  Log: unary((tf, a) => tf.log(a)),
  Neg: unary((tf, a) => tf.neg(a)),
  Not: unary((tf, a) => tf.logicalNot(a)),
  Reciprocal: unary((tf, a) => tf.reciprocal(a)),
  Round: unary((tf, a) => tf.round(a)),
  Sign: unary((tf, a) => tf.sign(a)),
  Sin: unary((tf, a) => tf.sin(a)),
  Sinh: unary((tf, a) => tf.sinh(a)),
  Sqrt: unary((tf, a) => tf.sqrt(a)),
  Tan: unary((tf, a) => tf.tan(a)),
};
