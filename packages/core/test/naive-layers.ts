import { sizeOf } from "../src/index.ts";

/** Float64 numbers with dims, row-major. */
export interface Values {
  readonly dims: readonly number[];
  readonly values: ArrayLike<number>;
}

const at = ({ dims, values }: Values, index: readonly number[]): number => {
  let place = 0;
  for (const [axis, i] of index.entries()) {
    if (i < 0 || i >= dims[axis]) return 0;
    place = place * dims[axis] + i;
  }
  return values[place];
};

/** Every index of an array of these dims, in row-major order. */
const indices = (dims: readonly number[]): number[][] =>
  Array.from({ length: sizeOf(dims) }, (_, i) => {
    const index: number[] = [];
    let rest = i;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index.unshift(rest % dims[axis]);
      rest = Math.floor(rest / dims[axis]);
    }
    return index;
  });

const fill = (dims: readonly number[], of: (index: number[]) => number): Values => ({
  dims,
  values: indices(dims).map(of),
});

const sum = (count: number, term: (i: number) => number): number => {
  let total = 0;
  for (let i = 0; i < count; i++) total += term(i);
  return total;
};

/** Axes exchanged: [n, m] of [m, n]. */
export const turned = (a: Values): Values => fill([a.dims[1], a.dims[0]], ([i, j]) => at(a, [j, i]));

/** x [n, in], w [out, in], bias [out] -> [n, out] */
export const linear = (x: Values, w: Values, bias?: ArrayLike<number>): Values =>
  fill([x.dims[0], w.dims[0]], ([n, o]) => (bias?.[o] ?? 0) + sum(w.dims[1], (i) => at(x, [n, i]) * at(w, [o, i])));

/** x [stack, n, in], w [stack * out, in] -> [stack, n, out] */
export const stackedLinear = (x: Values, w: Values): Values => {
  const outputs = w.dims[0] / x.dims[0];
  return fill([x.dims[0], x.dims[1], outputs], ([s, n, o]) =>
    sum(w.dims[1], (i) => at(x, [s, n, i]) * at(w, [s * outputs + o, i])),
  );
};

/** x [1, in, ...space], w [out, in / groups, ...kernel] -> [1, out, ...space - kernel + 1] */
export const conv = (x: Values, w: Values, groups: number): Values => {
  const kernel = w.dims.slice(2);
  const space = x.dims.slice(2).map((size, axis) => size - kernel[axis] + 1);
  const taps = indices(kernel);
  const [outputs, inputs] = [w.dims[0] / groups, w.dims[1]];
  return fill([1, w.dims[0], ...space], ([, o, ...place]) =>
    sum(inputs, (i) =>
      sum(taps.length, (t) => {
        const from = place.map((p, axis) => p + taps[t][axis]);
        return at(x, [0, Math.floor(o / outputs) * inputs + i, ...from]) * at(w, [o, i, ...taps[t]]);
      }),
    ),
  );
};

/** x [1, in, ...space], w [out, in / groups, ...kernel] -> [1, out, ...space + kernel - 1] */
export const convTranspose = (x: Values, w: Values, groups: number): Values => {
  const kernel = w.dims.slice(2);
  const space = x.dims.slice(2).map((size, axis) => size + kernel[axis] - 1);
  const taps = indices(kernel);
  const [outputs, inputs] = [w.dims[0] / groups, w.dims[1]];
  return fill([1, w.dims[0], ...space], ([, o, ...place]) =>
    sum(inputs, (i) =>
      sum(taps.length, (t) => {
        const from = place.map((p, axis) => p - taps[t][axis]);
        return at(x, [0, Math.floor(o / outputs) * inputs + i, ...from]) * at(w, [o, i, ...taps[t]]);
      }),
    ),
  );
};

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Gates of a step: g[gate][unit] of W x and of R h. */
interface Step {
  readonly x: (gate: number, unit: number) => number;
  readonly h: (gate: number, unit: number, state?: readonly number[]) => number;
  readonly state: readonly number[];
  readonly cell: number[];
}

/** One step of each cell, as ONNX orders its gates: the new state. */
const cells = {
  RNN: ({ x, h, state }: Step) => state.map((_, u) => Math.tanh(x(0, u) + h(0, u))),
  GRU: ({ x, h, state }: Step) => {
    const gate = (g: number, u: number) => sigmoid(x(g, u) + h(g, u));
    const reset = state.map((value, u) => value * gate(1, u));
    return state.map((value, u) => {
      const z = gate(0, u);
      return (1 - z) * Math.tanh(x(2, u) + h(2, u, reset)) + z * value;
    });
  },
  LSTM: ({ x, h, state, cell }: Step) => {
    const sums = state.map((_, u) => [0, 1, 2, 3].map((g) => x(g, u) + h(g, u)));
    return sums.map(([i, o, f, c], u) => {
      cell[u] = sigmoid(f) * cell[u] + sigmoid(i) * Math.tanh(c);
      return sigmoid(o) * Math.tanh(cell[u]);
    });
  },
} as const;

/**
 * Both directions of a recurrent operator without bias, from zero states.
 *
 * @param x [steps, 1, in]; w [2 * gates * hidden, in]; r [2 * gates * hidden, hidden] -> [steps, 2, 1, hidden]
 */
export const recurrent = (kind: keyof typeof cells, x: Values, w: Values, r: Values): Values => {
  const [steps, , inputs] = x.dims;
  const hidden = r.dims[1];
  const rows = w.dims[0] / 2;
  const states: number[][][] = Array.from({ length: steps }, () => []);
  for (const direction of [0, 1]) {
    let state: number[] = Array(hidden).fill(0);
    const cell: number[] = Array(hidden).fill(0);
    for (let s = 0; s < steps; s++) {
      const t = direction === 0 ? s : steps - 1 - s;
      const row = (gate: number, unit: number) => direction * rows + gate * hidden + unit;
      const now = state;
      state = cells[kind]({
        x: (gate, unit) => sum(inputs, (i) => at(x, [t, 0, i]) * at(w, [row(gate, unit), i])),
        h: (gate, unit, of = now) => sum(hidden, (i) => of[i] * at(r, [row(gate, unit), i])),
        state: now,
        cell,
      });
      states[t][direction] = state;
    }
  }
  return { dims: [steps, 2, 1, hidden], values: states.flat(2) };
};

/** One head: softmax(q kᵀ / √d) v, with q, k, v = the columns of qkv [n, 3 d]. */
export const attention = (qkv: Values): Values => {
  const [n, columns] = qkv.dims;
  const d = columns / 3;
  const score = (i: number, j: number) => Math.exp(sum(d, (c) => at(qkv, [i, c]) * at(qkv, [j, d + c])) / Math.sqrt(d));
  return fill([n, d], ([i, c]) => {
    const all = sum(n, (j) => score(i, j));
    return sum(n, (j) => (score(i, j) / all) * at(qkv, [j, 2 * d + c]));
  });
};
