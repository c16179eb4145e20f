import { floatsOf, stringsOf } from "../../attrs.ts";
import { type Call, float, has, int, numbers, type Operator, string, unsupported, x } from "../call.ts";
import type { Tf, TfTensor } from "../tf.ts";

type Act = (tf: Tf, a: TfTensor) => TfTensor;

const activation = (call: Call, name: string, alpha: number | undefined, beta: number | undefined): Act => {
  const known: Record<string, Act> = {
    affine: (tf, a) => tf.add(tf.mul(a, alpha ?? 1), beta ?? 0),
    elu: (tf, a) => tf.add(tf.relu(a), tf.mul(alpha ?? 1, tf.expm1(tf.minimum(a, 0)))),
    hardsigmoid: (tf, a) => tf.clipByValue(tf.add(tf.mul(a, alpha ?? 0.2), beta ?? 0.5), 0, 1),
    leakyrelu: (tf, a) => tf.leakyRelu(a, alpha ?? 0.01),
    relu: (tf, a) => tf.relu(a),
    sigmoid: (tf, a) => tf.sigmoid(a),
    softplus: (tf, a) => tf.softplus(a),
    softsign: (tf, a) => tf.div(a, tf.add(tf.abs(a), 1)),
    tanh: (tf, a) => tf.tanh(a),
  };
  const found = known[name.toLowerCase()];
  if (!found) throw unsupported(call, `has activation "${name}". Choose one of ${Object.keys(known).join(", ")}.`);
  return found;
};

/** Hidden (and cell) states, [batch, hidden]. */
type States = readonly TfTensor[];

/** What one direction works with. */
interface Direction {
  readonly tf: Tf;
  readonly call: Call;
  readonly hidden: number;
  /** [hidden, gates · hidden] */
  readonly R: TfTensor;
  /** Biases of W and of R, [gates · hidden], or nothing. */
  readonly b: readonly [TfTensor, TfTensor] | undefined;
  readonly peepholes: TfTensor | undefined;
  readonly acts: readonly Act[];
}

/** New states from x W^T of one moment, [batch, gates · hidden]. */
type Step = (direction: Direction, xw: TfTensor, states: States) => States;

const clipped = ({ tf, call }: Direction, a: TfTensor): TfTensor => {
  const limit = float(call, "clip", 0);
  return limit > 0 ? tf.clipByValue(a, -limit, limit) : a;
};

const gatesOf = ({ tf, hidden }: Direction, a: TfTensor): TfTensor[] => tf.split(a, a.shape[1] / hidden, 1);

/** Gates in the order i, o, f, c. Source: ONNX, LSTM. */
const lstm: Step = (d, xw, [h, c]) => {
  const { tf, acts, b, peepholes } = d;
  const [f, g, o] = acts;
  const sum = tf.add(xw, tf.matMul(h, d.R));
  const [gi, go, gf, gc] = gatesOf(d, b ? tf.add(sum, tf.add(b[0], b[1])) : sum);
  const [pi, po, pf] = peepholes ? tf.split(peepholes, 3) : [];
  const peek = (gate: TfTensor, weight: TfTensor | undefined, cell: TfTensor) =>
    clipped(d, weight ? tf.add(gate, tf.mul(weight, cell)) : gate);
  const input = f(tf, peek(gi, pi, c));
  const forget = int(d.call, "input_forget", 0) === 0 ? f(tf, peek(gf, pf, c)) : tf.sub(1, input);
  const cell = tf.add(tf.mul(forget, c), tf.mul(input, g(tf, clipped(d, gc))));
  return [tf.mul(f(tf, peek(go, po, cell)), o(tf, cell)), cell];
};

/** Gates in the order z, r, h. Source: ONNX, GRU. */
const gru: Step = (d, xw, [h]) => {
  const { tf, hidden, acts, b } = d;
  const [f, g] = acts;
  const [rz, rh] = tf.split(d.R, [2 * hidden, hidden], 1);
  const [xz, xh] = tf.split(b ? tf.add(xw, b[0]) : xw, [2 * hidden, hidden], 1);
  const [bz, bh] = b ? tf.split(b[1], [2 * hidden, hidden]) : [];
  const zr = tf.add(xz, tf.matMul(h, rz));
  const [z, r] = gatesOf(d, f(tf, clipped(d, bz ? tf.add(zr, bz) : zr)));
  const biased = (a: TfTensor) => (bh ? tf.add(a, bh) : a);
  const recurrent =
    int(d.call, "linear_before_reset", 0) === 0
      ? biased(tf.matMul(tf.mul(r, h), rh))
      : tf.mul(r, biased(tf.matMul(h, rh)));
  const next = g(tf, clipped(d, tf.add(xh, recurrent)));
  return [tf.add(tf.mul(tf.sub(1, z), next), tf.mul(z, h))];
};

const rnn: Step = (d, xw, [h]) => {
  const { tf, acts, b } = d;
  const sum = tf.add(xw, tf.matMul(h, d.R));
  return [acts[0](tf, clipped(d, b ? tf.add(sum, tf.add(b[0], b[1])) : sum))];
};

const at = (tf: Tf, a: TfTensor, index: number) =>
  tf.reshape(tf.slice(a, [index, ...Array<number>(a.rank - 1).fill(0)], [1, ...a.shape.slice(1)]), a.shape.slice(1));

interface Kind {
  readonly states: 1 | 2;
  readonly step: Step;
  readonly activations: readonly string[];
}

/** Runs one direction: states of every moment, [time, batch, hidden], and the last ones. */
const run = (
  d: Direction,
  X: TfTensor,
  W: TfTensor,
  start: States,
  step: Step,
  lengths: readonly number[] | undefined,
  back: boolean,
) => {
  const { tf } = d;
  const [time, batch, width] = X.shape;
  // [time · batch, in] x [in, gates · hidden] -> [time, batch, gates · hidden]
  const xw = tf.reshape(tf.matMul(tf.reshape(X, [time * batch, width]), W, false, true), [time, batch, -1]);
  const moments = tf.unstack(xw);
  const outputs: TfTensor[] = [];
  let states = start;
  const alive = (t: number) =>
    lengths?.some((length) => t >= length)
      ? tf.tensor2d(
          lengths.map((length) => (t < length ? 1 : 0)),
          [batch, 1],
        )
      : undefined;
  for (let i = 0; i < time; i++) {
    const t = back ? time - 1 - i : i;
    const [next, mask] = [step(d, moments[t], states), alive(t)];
    // behind the end of a sequence the state stays and the output is zero
    states = mask ? next.map((a, s) => tf.add(tf.mul(a, mask), tf.mul(states[s], tf.sub(1, mask)))) : next;
    outputs[t] = mask ? tf.mul(next[0], mask) : next[0];
  }
  return { outputs: tf.stack(outputs), states };
};

const recurrent =
  ({ states, step, activations }: Kind): Operator =>
  (call) => {
    const { tf } = call;
    const batchFirst = int(call, "layout", 0) !== 0;
    const swap = (a: TfTensor, order: number[]) => (batchFirst ? tf.transpose(a, order) : a);
    const X = swap(x(call), [1, 0, 2]);
    const [W, R] = [x(call, 1), x(call, 2)];
    const [directions, , hidden] = R.shape;
    const direction = string(call, "direction", "forward");
    const names = stringsOf(call.node, "activations") ?? Array.from({ length: directions }, () => activations).flat();
    const [alphas, betas] = [floatsOf(call.node, "activation_alpha"), floatsOf(call.node, "activation_beta")];
    const acts = names.map((name, i) => activation(call, name, alphas?.[i], betas?.[i]));
    const each = acts.length / directions;
    const [, batch] = X.shape;
    const lengths = numbers(call, 4);
    const runs = Array.from({ length: directions }, (_, i) => {
      const bias = has(call, 3) ? at(tf, x(call, 3), i) : undefined;
      const [wb, rb] = bias ? tf.split(bias, 2) : [];
      const d: Direction = {
        tf,
        call,
        hidden,
        R: tf.transpose(at(tf, R, i)),
        b: wb && rb ? [wb, rb] : undefined,
        peepholes: has(call, 7) ? at(tf, x(call, 7), i) : undefined,
        acts: acts.slice(i * each, (i + 1) * each),
      };
      const start = Array.from({ length: states }, (_, s) =>
        has(call, 5 + s) ? at(tf, swap(x(call, 5 + s), [1, 0, 2]), i) : tf.zeros([batch, hidden]),
      );
      const back = direction === "reverse" || i === 1;
      return run(d, X, at(tf, W, i), start, step, lengths, back);
    });
    // [time, directions, batch, hidden], or [batch, time, directions, hidden]
    const Y = tf.stack(
      runs.map(({ outputs }) => outputs),
      1,
    );
    const last = Array.from({ length: states }, (_, s) => tf.stack(runs.map((made) => made.states[s])));
    return [swap(Y, [2, 0, 1, 3]), ...last.map((a) => swap(a, [1, 0, 2]))];
  };

export const recurrents: Readonly<Record<string, Operator>> = {
  GRU: recurrent({ states: 1, step: gru, activations: ["Sigmoid", "Tanh"] }),
  LSTM: recurrent({ states: 2, step: lstm, activations: ["Sigmoid", "Tanh", "Tanh"] }),
  RNN: recurrent({ states: 1, step: rnn, activations: ["Tanh"] }),
};
