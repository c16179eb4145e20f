import { axisOf, type Call, float, has, int, numbers, type Operator, string, x } from "../call.ts";
import type { Tf, TfTensor } from "../tf.ts";
import { unary } from "./unary.ts";

/** Constants of Selu to float precision. Source: arXiv:1706.02515. */
const SELU_ALPHA = 1.6732631921768188;
const SELU_GAMMA = 1.0507010221481323;
/** Source: arXiv:1606.08415, section 2. */
const GELU_CUBE = 0.044715;

const step = (tf: Tf, condition: TfTensor) => tf.cast(condition, "float32");

/** x where x > 0, slope · (exp(x / width) - 1) elsewhere. */
const exponential = (tf: Tf, a: TfTensor, slope: number, width = 1): TfTensor =>
  tf.add(tf.relu(a), tf.mul(slope, tf.expm1(tf.div(tf.minimum(a, 0), width))));

const hardSigmoid = (tf: Tf, a: TfTensor, alpha: number, beta: number) =>
  tf.clipByValue(tf.add(tf.mul(a, alpha), beta), 0, 1);

/** x Φ(x). Source: arXiv:1606.08415. */
const gelu = (tf: Tf, a: TfTensor): TfTensor => tf.mul(tf.mul(a, 0.5), tf.add(tf.erf(tf.mul(a, Math.SQRT1_2)), 1));

/** 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))). */
const tanhGelu = (tf: Tf, a: TfTensor): TfTensor => {
  const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(a, tf.mul(GELU_CUBE, tf.mul(a, tf.square(a)))));
  return tf.mul(tf.mul(a, 0.5), tf.add(tf.tanh(inner), 1));
};

const lastAxis = (call: Call, a: TfTensor, f: (flat: TfTensor) => TfTensor): TfTensor => {
  const { tf, scope } = call;
  if (scope.opset < 13) {
    // up to opset 12 everything from the axis on is one axis
    const axis = axisOf(int(call, "axis", 1), a.rank);
    const rows = a.shape.slice(0, axis).reduce((product, dim) => product * dim, 1);
    return tf.reshape(f(tf.reshape(a, [rows, -1])), a.shape);
  }
  const axis = axisOf(int(call, "axis", -1), a.rank);
  if (axis === a.rank - 1) return f(a);
  const order = a.shape.map((_, i) => i);
  [order[axis], order[a.rank - 1]] = [a.rank - 1, axis];
  return tf.transpose(f(tf.transpose(a, order)), order);
};

/** Softmax and its like, along an axis. */
const along =
  (f: (tf: Tf, flat: TfTensor) => TfTensor): Operator =>
  (call) =>
    lastAxis(call, x(call), (flat) => f(call.tf, flat));

const hardmax = (tf: Tf, a: TfTensor) => tf.cast(tf.oneHot(tf.argMax(a, -1) as never, a.shape[a.rank - 1]), "float32");

const dropout: Operator = (call) => {
  const { tf, scope } = call;
  const a = x(call);
  const ratio = numbers(call, 1)?.[0] ?? float(call, "ratio", 0.5);
  const drops = scope.training && ratio > 0 && numbers(call, 2)?.[0] !== 0;
  if (!drops) return [a, tf.cast(tf.onesLike(a), "bool")];
  const kept = tf.greaterEqual(tf.randomUniform(a.shape, 0, 1, "float32", scope.seed()), ratio);
  return [tf.mul(a, tf.div(tf.cast(kept, "float32"), 1 - ratio)), kept];
};

const shrink: Operator = unary((tf, a, call) => {
  const [lambda, bias] = [float(call, "lambd", 0.5), float(call, "bias", 0)];
  const [above, below] = [step(tf, tf.greater(a, lambda)), step(tf, tf.less(a, -lambda))];
  return tf.add(tf.mul(above, tf.sub(a, bias)), tf.mul(below, tf.add(a, bias)));
});

const prelu: Operator = (call) => {
  const { tf } = call;
  const a = x(call);
  return tf.add(tf.relu(a), tf.mul(x(call, 1), tf.minimum(a, 0)));
};

const geluOf: Operator = unary((tf, a, call) =>
  string(call, "approximate", "none") === "tanh" ? tanhGelu(tf, a) : gelu(tf, a),
);

/** Gelu of the sum of the input and a bias that may be left out. */
const biasedGelu =
  (f: (tf: Tf, a: TfTensor) => TfTensor): Operator =>
  (call) =>
    f(call.tf, has(call, 1) ? call.tf.add(x(call), x(call, 1)) : x(call));

const swish = (tf: Tf, a: TfTensor, by: number) => tf.mul(a, tf.sigmoid(tf.mul(a, by)));

export const activations: Readonly<Record<string, Operator>> = {
  Celu: unary((tf, a, call) => exponential(tf, a, float(call, "alpha", 1), float(call, "alpha", 1))),
  Dropout: dropout,
  Elu: unary((tf, a, call) => exponential(tf, a, float(call, "alpha", 1))),
  Gelu: geluOf,
  HardSigmoid: unary((tf, a, call) => hardSigmoid(tf, a, float(call, "alpha", 0.2), float(call, "beta", 0.5))),
  HardSwish: unary((tf, a) => tf.mul(a, hardSigmoid(tf, a, 1 / 6, 0.5))),
  Hardmax: along(hardmax),
  LeakyRelu: unary((tf, a, call) => tf.leakyRelu(a, float(call, "alpha", 0.01))),
  LogSoftmax: along((tf, a) => tf.logSoftmax(a)),
  Mish: unary((tf, a) => tf.mul(a, tf.tanh(tf.softplus(a)))),
  PRelu: prelu,
  Relu: unary((tf, a) => tf.relu(a)),
  Selu: unary((tf, a, call) => {
    const [alpha, gamma] = [float(call, "alpha", SELU_ALPHA), float(call, "gamma", SELU_GAMMA)];
    return tf.mul(gamma, exponential(tf, a, alpha));
  }),
  Shrink: shrink,
  Sigmoid: unary((tf, a) => tf.sigmoid(a)),
  Softmax: along((tf, a) => tf.softmax(a)),
  Softplus: unary((tf, a) => tf.softplus(a)),
  Softsign: unary((tf, a) => tf.div(a, tf.add(tf.abs(a), 1))),
  Swish: unary((tf, a, call) => swish(tf, a, float(call, "alpha", 1))),
  Tanh: unary((tf, a) => tf.tanh(a)),
  ThresholdedRelu: unary((tf, a, call) => tf.mul(a, step(tf, tf.greater(a, float(call, "alpha", 1))))),
  "com.microsoft:BiasGelu": biasedGelu(gelu),
  "com.microsoft:FastGelu": biasedGelu(tanhGelu),
  "com.microsoft:Gelu": biasedGelu(gelu),
  "com.microsoft:QuickGelu": unary((tf, a, call) => swish(tf, a, float(call, "alpha", 1.702))),
};
