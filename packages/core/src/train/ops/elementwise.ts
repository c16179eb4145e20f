import { type Call, dims, float, given, has, int, numbers, type Operator, x } from "../call.ts";
import type { Tf, TfTensor } from "../tf.ts";
import { channelsLast, fitsImage, isLast, lastOnDevice, onDevice } from "../value.ts";

type Binary = (tf: Tf, a: TfTensor, b: TfTensor) => TfTensor;

/** All inputs in one layout, channels last where one of them is, put together by `f`. */
const joined = (call: Call, f: (inputs: readonly TfTensor[]) => TfTensor) => {
  const { tf } = call;
  const values = call.node.inputs.flatMap((_, i) => (has(call, i) ? [given(call, i)] : []));
  if (values.some(isLast) && values.every(fitsImage)) return channelsLast(f(values.map((v) => lastOnDevice(tf, v))));
  return f(values.map((value) => onDevice(tf, value)));
};

const binary =
  (f: Binary): Operator =>
  (call) =>
    joined(call, ([a, b]) => f(call.tf, a, b));

const variadic =
  (f: Binary): Operator =>
  (call) =>
    joined(call, (inputs) => inputs.reduce((sum, b) => f(call.tf, sum, b)));

const trunc: (tf: Tf, a: TfTensor) => TfTensor = (tf, a) => tf.mul(tf.sign(a), tf.floor(tf.abs(a)));

const divide: Binary = (tf, a, b) =>
  a.dtype === "int32" && b.dtype === "int32"
    ? tf.cast(trunc(tf, tf.div(tf.cast(a, "float32"), tf.cast(b, "float32"))), "int32")
    : tf.div(a, b);

const pow: Operator = (call) => {
  const { tf } = call;
  const exponent = given(call, 1);
  const known = exponent.kind === "host" && exponent.tensor.dims.length === 0;
  const power = known || (exponent.kind === "host" && dims(call, 1).join() === "1") ? numbers(call, 1)?.[0] : undefined;
  return joined(call, ([base, by]) => {
    if (power === 2) return tf.square(base);
    return power === 0.5 ? tf.sqrt(base) : tf.pow(base, tf.cast(by, base.dtype));
  });
};

const mod: Operator = (call) => {
  const { tf } = call;
  const truncated: Binary = (_, a, b) => tf.sub(a, tf.mul(trunc(tf, tf.div(a, b)), b));
  return binary(int(call, "fmod", 0) === 0 ? (_, a, b) => tf.mod(a, b) : truncated)(call);
};

const compare = (f: Binary): Operator => binary(f);

const mean: Operator = (call) =>
  joined(call, (inputs) =>
    call.tf.div(
      inputs.reduce((sum, b) => call.tf.add(sum, b)),
      inputs.length,
    ),
  );

const where: Operator = (call) => {
  const { tf } = call;
  return joined(call, ([condition, a, b]) => tf.where(tf.cast(condition, "bool"), a, b));
};

const clip: Operator = (call) => {
  const { tf } = call;
  const [low, high] = [call.inputs[1], call.inputs[2]];
  const limit = (index: number, name: string, fallback: number) =>
    numbers(call, index)?.[0] ?? float(call, name, fallback);
  if (low?.kind === "device" || high?.kind === "device") {
    const above = low ? tf.maximum(x(call), x(call, 1)) : x(call);
    return high ? tf.minimum(above, x(call, 2)) : above;
  }
  const [from, to] = [limit(1, "min", Number.NEGATIVE_INFINITY), limit(2, "max", Number.POSITIVE_INFINITY)];
  return joined({ ...call, node: { ...call.node, inputs: call.node.inputs.slice(0, 1) } }, ([a]) =>
    tf.clipByValue(a, from, to),
  );
};

export const elementwise: Readonly<Record<string, Operator>> = {
  Add: binary((tf, a, b) => tf.add(a, b)),
  And: compare((tf, a, b) => tf.logicalAnd(a, b)),
  Clip: clip,
  Div: binary(divide),
  Equal: compare((tf, a, b) => tf.equal(a, b)),
  Greater: compare((tf, a, b) => tf.greater(a, b)),
  GreaterOrEqual: compare((tf, a, b) => tf.greaterEqual(a, b)),
  Less: compare((tf, a, b) => tf.less(a, b)),
  LessOrEqual: compare((tf, a, b) => tf.lessEqual(a, b)),
  Max: variadic((tf, a, b) => tf.maximum(a, b)),
  Mean: mean,
  Min: variadic((tf, a, b) => tf.minimum(a, b)),
  Mod: mod,
  Mul: binary((tf, a, b) => tf.mul(a, b)),
  Or: compare((tf, a, b) => tf.logicalOr(a, b)),
  Pow: pow,
  Sub: binary((tf, a, b) => tf.sub(a, b)),
  Sum: variadic((tf, a, b) => tf.add(a, b)),
  Where: where,
  Xor: compare((tf, a, b) => tf.logicalXor(a, b)),
};
