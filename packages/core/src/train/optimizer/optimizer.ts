import { EspalierError } from "../../errors.ts";
import type { Tensor } from "../../tensor.ts";
import type { Tf, TfOptimizer, TfTensor, TfVariable } from "../tf.ts";
import { toDevice } from "../value.ts";
import type { Schedule } from "./schedule.ts";

interface Common {
  readonly learningRate: number;
  readonly schedule?: Schedule;
  /** Added to the gradient, times the weight; decoupled from it for "adamw". */
  readonly weightDecay?: number;
}

export type OptimizerOptions = Common &
  (
    | { readonly kind: "sgd"; readonly momentum?: number; readonly nesterov?: boolean }
    | { readonly kind: "adam" | "adamw"; readonly beta1?: number; readonly beta2?: number; readonly epsilon?: number }
    | { readonly kind: "rmsprop"; readonly decay?: number; readonly epsilon?: number }
    /** An optimizer of TensorFlow.js: `make: (tf) => tf.train.adagrad(0.1)`. */
    | { readonly kind: "tfjs"; make(tf: Tf, learningRate: number): TfOptimizer }
  );

/** A rule that changes weights by gradients, and what it remembers of them. */
export interface Optimizer {
  /** One update. Call it outside of `tf.tidy`; gradients are not disposed of. */
  apply(gradients: ReadonlyMap<string, TfTensor>, rate: number, decayOf?: (name: string) => number | undefined): void;
  /** Sets what is remembered of some weights to zero where a mask is. */
  mask(masks: ReadonlyMap<string, TfTensor>): Promise<void>;
  /** All that it remembers, by name. */
  save(): Promise<Map<string, Tensor>>;
  load(state: ReadonlyMap<string, Tensor>): Promise<void>;
  dispose(): void;
}

const COUNT = "count";

const assign = (variable: TfVariable, value: TfTensor) => {
  variable.assign(value as never);
  value.dispose();
};

type Update = (
  tf: Tf,
  w: TfTensor,
  g: TfTensor,
  state: readonly TfTensor[],
  rate: number,
  count: number,
) => { readonly w: TfTensor; readonly state: readonly TfTensor[] };

/** v ← m v + g, w ← w - r v; with Nesterov's look ahead w ← w - r (g + m v). As torch has it, with no dampening. */
const sgd =
  (momentum: number, nesterov: boolean): Update =>
  (tf, w, g, [v], rate, count) => {
    if (momentum === 0) return { w: tf.sub(w, tf.mul(g, rate)), state: [] };
    const next = count === 1 ? g : tf.add(tf.mul(v, momentum), g);
    const by = nesterov ? tf.add(g, tf.mul(next, momentum)) : next;
    return { w: tf.sub(w, tf.mul(by, rate)), state: [tf.clone(next)] };
  };

/** Source: arXiv:1412.6980, algorithm 1. */
const adam =
  (beta1: number, beta2: number, epsilon: number): Update =>
  (tf, w, g, [m, v], rate, count) => {
    const nextM = tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1));
    const nextV = tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2));
    const root = tf.add(tf.mul(tf.sqrt(nextV), 1 / Math.sqrt(1 - beta2 ** count)), epsilon);
    return { w: tf.sub(w, tf.mul(tf.div(nextM, root), rate / (1 - beta1 ** count))), state: [nextM, nextV] };
  };

/** Source: Tieleman and Hinton 2012, lecture 6.5. */
const rmsprop =
  (decay: number, epsilon: number): Update =>
  (tf, w, g, [s], rate) => {
    const next = tf.add(tf.mul(s, decay), tf.mul(tf.square(g), 1 - decay));
    return { w: tf.sub(w, tf.mul(tf.div(g, tf.add(tf.sqrt(next), epsilon)), rate)), state: [next] };
  };

const updateOf = (options: Exclude<OptimizerOptions, { kind: "tfjs" }>): { update: Update; states: number } => {
  switch (options.kind) {
    case "sgd": {
      const { momentum = 0, nesterov = false } = options;
      return { update: sgd(momentum, nesterov), states: momentum === 0 ? 0 : 1 };
    }
    case "adam":
    case "adamw": {
      const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
      return { update: adam(beta1, beta2, epsilon), states: 2 };
    }
    case "rmsprop":
      return { update: rmsprop(options.decay ?? 0.9, options.epsilon ?? 1e-8), states: 1 };
    default:
      throw new EspalierError(
        "BAD_OPTION",
        "core/train",
        `optimizer is "${(options as { kind: string }).kind}". Choose sgd, adam, adamw, rmsprop or tfjs.`,
      );
  }
};

const read = async (variable: TfTensor): Promise<Tensor> => ({
  type: "float32",
  dims: variable.shape,
  data: Float32Array.from(await variable.data()),
});

/** An optimizer of TensorFlow.js in the same clothes. */
const wrapped = (
  tf: Tf,
  weights: ReadonlyMap<string, TfVariable>,
  make: (tf: Tf, rate: number) => TfOptimizer,
  rate: number,
): Optimizer => {
  const inner = make(tf, rate);
  const keys = new Map([...weights].map(([key, { name }]) => [name, key]));
  const keyOf = (name: string) => name.replace(/^[^/]+/, (variable) => keys.get(variable) ?? variable);
  return {
    apply(gradients, learningRate) {
      const setting = inner as unknown as { learningRate?: number; setLearningRate?(rate: number): void };
      if (setting.setLearningRate) setting.setLearningRate(learningRate);
      else if (setting.learningRate !== undefined) setting.learningRate = learningRate;
      const named = [...gradients].map(([key, tensor]) => ({ name: weights.get(key)?.name ?? key, tensor }));
      inner.applyGradients(named);
    },
    async mask(masks) {
      for (const { name, tensor } of await inner.getWeights()) {
        const mask = masks.get(keyOf(name).replace(/\/[^/]*$/, ""));
        if (mask && mask.shape.join() === tensor.shape.join())
          assign(tensor as TfVariable, tf.mul(tensor, mask) as TfTensor);
        else if (!("assign" in tensor)) tensor.dispose();
      }
    },
    async save() {
      const state = new Map<string, Tensor>();
      for (const { name, tensor } of await inner.getWeights()) {
        state.set(keyOf(name), await read(tensor as TfTensor));
        if (!("assign" in tensor)) tensor.dispose();
      }
      return state;
    },
    async load(state) {
      const back = new Map([...keys].map(([name, key]) => [key, name]));
      const list = [...state].map(([key, t]) => {
        const name = [...back].reduce(
          (found, [own, variable]) => (key.startsWith(`${own}/`) ? variable + key.slice(own.length) : found),
          key,
        );
        return { name, tensor: name === "iter" ? tf.cast(toDevice(tf, t), "int32") : toDevice(tf, t) };
      });
      await inner.setWeights(list as never);
    },
    dispose: () => inner.dispose(),
  };
};

/**
 * The optimizer that `options` name, for these weights.
 *
 * @throws EspalierError `BAD_OPTION` for one that is unknown, or a learning rate that is not above 0
 */
export const createOptimizer = (
  tf: Tf,
  weights: ReadonlyMap<string, TfVariable>,
  options: OptimizerOptions,
): Optimizer => {
  const { learningRate, weightDecay = 0 } = options;
  if (!(learningRate > 0))
    throw new EspalierError("BAD_OPTION", "core/train", `learningRate is ${learningRate}. Give a number above 0.`);
  if (options.kind === "tfjs") return wrapped(tf, weights, options.make, learningRate);
  const { update, states } = updateOf(options);
  let count = 0;
  const memory = new Map<string, TfVariable[]>();
  const memoryOf = (name: string, w: TfVariable) => {
    let own = memory.get(name);
    if (!own) {
      own = Array.from({ length: states }, () => {
        const zero = tf.zeros(w.shape);
        const made = tf.variable(zero, false);
        zero.dispose();
        return made as TfVariable;
      });
      memory.set(name, own);
    }
    return own;
  };
  return {
    apply(gradients, rate, decayOf = () => undefined) {
      count++;
      for (const [name, gradient] of gradients) {
        const w = weights.get(name);
        if (!w) continue;
        const own = memoryOf(name, w);
        const decay = decayOf(name) ?? weightDecay;
        const apart = options.kind === "adamw";
        const next = tf.tidy(() => {
          const g = decay > 0 && !apart ? tf.add(gradient, tf.mul(w, decay)) : gradient;
          const made = update(
            tf,
            decay > 0 && apart ? tf.mul(w, 1 - rate * decay) : w,
            g as TfTensor,
            own,
            rate,
            count,
          );
          return [made.w, ...made.state];
        });
        assign(w, next[0]);
        for (const [i, variable] of own.entries()) assign(variable, next[i + 1]);
      }
    },
    async mask(masks) {
      for (const [name, mask] of masks)
        for (const variable of memory.get(name) ?? []) assign(variable, tf.mul(variable, mask) as TfTensor);
    },
    async save() {
      const state = new Map<string, Tensor>([[COUNT, { type: "float32", dims: [], data: Float32Array.of(count) }]]);
      for (const [name, own] of memory)
        for (const [i, variable] of own.entries()) state.set(`${i}/${name}`, await read(variable));
      return state;
    },
    async load(state) {
      for (const [key, t] of state) {
        if (key === COUNT) {
          count = Number(t.data[0]);
          continue;
        }
        const [, slot, name] = /^(\d+)\/(.*)$/s.exec(key) ?? [];
        const w = weights.get(name);
        if (w) assign(memoryOf(name, w)[Number(slot)], toDevice(tf, t));
      }
    },
    dispose() {
      for (const own of memory.values()) for (const variable of own) variable.dispose();
    },
  };
};
