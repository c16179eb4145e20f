import type { Tf, TfTensor } from "../tf.ts";
import { type KernelGradient, ofInput, ofOutput, unspread } from "./gradient.ts";

type Side = (tf: Tf, dy: TfTensor, a: TfTensor, b: TfTensor, y: TfTensor) => TfTensor;

/** A kernel of two inputs that broadcast. */
const binary = (toA: Side, toB: Side): KernelGradient => ({
  inputs: ["a", "b"],
  output: true,
  of: (tf, dy, [a, b, y]) => ({
    a: () => unspread(tf, toA(tf, dy, a, b, y), a.shape),
    b: () => unspread(tf, toB(tf, dy, a, b, y), b.shape),
  }),
});

const where = (tf: Tf, condition: TfTensor, dy: TfTensor) => tf.mul(dy, tf.cast(condition, "float32"));

/** d erf(x) / dx = 2 / √π · exp(-x²) */
const ERF = 2 / Math.sqrt(Math.PI);

const zero: KernelGradient = ofInput((tf, _, x) => tf.zeros(x.shape));
const zeros: KernelGradient = {
  inputs: ["a", "b"],
  of: (tf, _, [a, b]) => ({ a: () => tf.zeros(a.shape), b: () => tf.zeros(b.shape) }),
};

/** 1 / √(sign · (x² - 1)) and the like. */
const inverseRoot = (inside: (tf: Tf, square: TfTensor) => TfTensor, sign = 1) =>
  ofInput((tf, dy, x) => tf.mul(dy, tf.mul(sign, tf.rsqrt(inside(tf, tf.square(x))))));

export const elementwise: Readonly<Record<string, KernelGradient>> = {
  Add: binary(
    (_, dy) => dy,
    (_, dy) => dy,
  ),
  Sub: binary(
    (_, dy) => dy,
    (tf, dy) => tf.neg(dy),
  ),
  Multiply: binary(
    (tf, dy, _, b) => tf.mul(dy, tf.cast(b, "float32")),
    (tf, dy, a) => tf.mul(dy, tf.cast(a, "float32")),
  ),
  RealDiv: binary(
    (tf, dy, _, b) => tf.div(dy, tf.cast(b, "float32")),
    (tf, dy, _a, b, y) => tf.neg(tf.div(tf.mul(dy, y), tf.cast(b, "float32"))),
  ),
  Maximum: binary(
    (tf, dy, a, b) => where(tf, tf.greaterEqual(a, b), dy),
    (tf, dy, a, b) => where(tf, tf.less(a, b), dy),
  ),
  Minimum: binary(
    (tf, dy, a, b) => where(tf, tf.lessEqual(a, b), dy),
    (tf, dy, a, b) => where(tf, tf.greater(a, b), dy),
  ),
  Mod: binary(
    (_, dy) => dy,
    (tf, dy, a, b) => tf.neg(tf.mul(dy, tf.floor(tf.div(a, b)))),
  ),
  Pow: binary(
    (tf, dy, a, b) => tf.mul(dy, tf.mul(b, tf.pow(a, tf.sub(b, 1)))),
    (tf, dy, a, _, y) => {
      const positive = tf.greater(a, 0);
      const log = tf.where(positive, tf.log(tf.maximum(a, Number.MIN_VALUE)), tf.zerosLike(a));
      return tf.mul(dy, tf.mul(y, log));
    },
  ),
  SquaredDifference: binary(
    (tf, dy, a, b) => tf.mul(dy, tf.mul(2, tf.sub(a, b))),
    (tf, dy, a, b) => tf.mul(dy, tf.mul(2, tf.sub(b, a))),
  ),
  Select: {
    inputs: ["condition"],
    of: (tf, dy, [condition]) => ({
      condition: () => tf.zeros(condition.shape),
      t: () => where(tf, condition, dy),
      e: () => where(tf, tf.logicalNot(condition), dy),
    }),
  },
  Abs: ofInput((tf, dy, x) => tf.mul(dy, tf.sign(x))),
  Acos: inverseRoot((tf, square) => tf.sub(1, square), -1),
  Acosh: inverseRoot((tf, square) => tf.sub(square, 1)),
  Asin: inverseRoot((tf, square) => tf.sub(1, square)),
  Asinh: inverseRoot((tf, square) => tf.add(square, 1)),
  Atan: ofInput((tf, dy, x) => tf.div(dy, tf.add(tf.square(x), 1))),
  Atanh: ofInput((tf, dy, x) => tf.div(dy, tf.sub(1, tf.square(x)))),
  Cast: { of: (_, dy) => ({ x: () => dy }) },
  ClipByValue: ofInput((tf, dy, x, { clipValueMin, clipValueMax }) => {
    const [low, high] = [clipValueMin as number, clipValueMax as number];
    return where(tf, tf.logicalAnd(tf.greaterEqual(x, low), tf.lessEqual(x, high)), dy);
  }),
  Cos: ofInput((tf, dy, x) => tf.neg(tf.mul(dy, tf.sin(x)))),
  Cosh: ofInput((tf, dy, x) => tf.mul(dy, tf.sinh(x))),
  Erf: ofInput((tf, dy, x) => tf.mul(dy, tf.mul(ERF, tf.exp(tf.neg(tf.square(x)))))),
  Exp: ofOutput((tf, dy, y) => tf.mul(dy, y)),
  Expm1: ofOutput((tf, dy, y) => tf.mul(dy, tf.add(y, 1))),
  Identity: { of: (_, dy) => ({ x: () => dy }) },
  LeakyRelu: ofInput((tf, dy, x, { alpha }) => tf.where(tf.greater(x, 0), dy, tf.mul(dy, alpha as number))),
  Log: ofInput((tf, dy, x) => tf.div(dy, x)),
  Log1p: ofInput((tf, dy, x) => tf.div(dy, tf.add(x, 1))),
  Neg: { of: (tf, dy) => ({ x: () => tf.neg(dy) }) },
  Reciprocal: ofOutput((tf, dy, y) => tf.neg(tf.mul(dy, tf.square(y)))),
  Relu: ofOutput((tf, dy, y) => where(tf, tf.greater(y, 0), dy)),
  Rsqrt: ofOutput((tf, dy, y) => tf.mul(dy, tf.mul(-0.5, tf.mul(y, tf.square(y))))),
  Sigmoid: ofOutput((tf, dy, y) => tf.mul(dy, tf.mul(y, tf.sub(1, y)))),
  Sin: ofInput((tf, dy, x) => tf.mul(dy, tf.cos(x))),
  Sinh: ofInput((tf, dy, x) => tf.mul(dy, tf.cosh(x))),
  Softplus: ofInput((tf, dy, x) => tf.mul(dy, tf.sigmoid(x))),
  Sqrt: ofOutput((tf, dy, y) => tf.div(dy, tf.mul(y, 2))),
  Square: ofInput((tf, dy, x) => tf.mul(dy, tf.mul(x, 2))),
  Tan: ofOutput((tf, dy, y) => tf.mul(dy, tf.add(tf.square(y), 1))),
  Tanh: ofOutput((tf, dy, y) => tf.mul(dy, tf.sub(1, tf.square(y)))),
  ArgMax: zero,
  ArgMin: zero,
  Ceil: zero,
  Floor: zero,
  IsInf: zero,
  IsNan: zero,
  LogicalNot: zero,
  OnesLike: zero,
  Round: zero,
  Sign: zero,
  Step: zero,
  TopK: zero,
  ZerosLike: zero,
  OneHot: { inputs: ["indices"], of: (tf, _, [x]) => ({ indices: () => tf.zeros(x.shape) }) },
  Equal: zeros,
  FloorDiv: zeros,
  Greater: zeros,
  GreaterEqual: zeros,
  Less: zeros,
  LessEqual: zeros,
  LogicalAnd: zeros,
  LogicalOr: zeros,
  NotEqual: zeros,
};
