import { int, intOf, stringsOf } from "../../attrs.ts";
import type { Node } from "../../model.ts";
import { type Axis, plain, type Value } from "../axis.ts";
import { axesAt, contract, fix, freshAxis, joinAxes, pinAxis, stopAt } from "../trace.ts";
import { note } from "./products.ts";
import type { Rule, Rules } from "./rule.ts";

/** A gate's rows lie one gate behind the other; each holds the same units. */
const gated = (hidden: Axis, gates: number): Axis => ({
  length: (hidden.length as number) * gates,
  zero: true,
  ...(hidden.units && { units: Array.from({ length: gates }, () => hidden.units!).flat() }),
});

/** Activations that make 0 of a unit whose weights, biases and states are 0. */
const USUAL: Readonly<Record<string, readonly string[]>> = {
  LSTM: ["Sigmoid", "Tanh", "Tanh"],
  GRU: ["Sigmoid", "Tanh"],
  RNN: ["Tanh"],
};

const usual = (node: Node): boolean => {
  const found = stringsOf(node, "activations");
  return !found || found.every((name, i) => name === USUAL[node.opType][i % USUAL[node.opType].length]);
};

/**
 * x [time, batch, in], W [directions, gates * hidden, in], R [directions, gates * hidden, hidden], B [directions,
 * 2 * gates * hidden]. A unit goes from both directions at once: they share their length.
 */
const recurrent =
  (gates: number, peepholes: number): Rule =>
  (trace, node) => {
    const at = (index: number) => axesAt(trace, node, index);
    const [x, w, r] = [at(0), at(1), at(2)];
    if (!x || !w || !r || typeof r[2]?.length !== "number") return undefined;
    const hidden = freshAxis(trace, r[2].length, true);
    const stop = stopAt(node, "its weights or states cannot be cut");
    contract(trace, node, x[2], w[2]);
    for (const [axis, count] of [
      [w[1], gates],
      [r[1], gates],
    ] as const)
      joinAxes(trace, axis, gated(hidden, count), stop);
    joinAxes(trace, r[2], hidden, stop);
    // biases of W, then of R
    const others: [number, number, number][] = [
      [3, 1, 2 * gates],
      [5, 2, 1],
      [6, 2, 1],
      [7, 1, peepholes],
    ];
    for (const [index, axis, count] of others) {
      if (!node.inputs[index]) continue;
      const axes = at(index);
      if (!axes?.[axis]) {
        pinAxis(trace, hidden, stop);
        continue;
      }
      joinAxes(trace, axes[axis], gated(hidden, count), stop);
      if (!axes[axis].zero) pinAxis(trace, hidden, stopAt(node, "it starts from a state that no mask makes 0"));
    }
    if (!usual(node)) pinAxis(trace, hidden, stopAt(node, "its activations may not make 0 of 0"));
    const layout = intOf(node, "layout", 0);
    note(trace, node, "out", w[1], "recurrent");
    note(trace, node, "in", w[2], "recurrent");
    trace.work.push({ node, axes: [hidden, w[2]] }, { node, axes: [hidden, r[2]] });
    fix(trace, node, (now, shrunk) => ({
      ...now,
      attributes: new Map([
        ...now.attributes,
        ["hidden_size", int(hidden.units ? shrunk.kept(hidden).length : (hidden.length as number))],
      ]),
    }));
    const directions = plain(w[0].length);
    const [time, batch] = layout === 0 ? [x[0], x[1]] : [x[1], x[0]];
    const state: Value = { axes: layout === 0 ? [directions, batch, hidden] : [batch, directions, hidden] };
    const y: Value = { axes: layout === 0 ? [time, directions, batch, hidden] : [batch, time, directions, hidden] };
    for (const axis of [w[0], r[0]]) pinAxis(trace, axis, stopAt(node, "its directions"));
    for (const axis of [time, batch]) pinAxis(trace, axis, stopAt(node, "it goes along the axis"));
    return node.outputs.map((_, i) => (i === 0 ? y : state));
  };

export const recurrents: Rules = { LSTM: recurrent(4, 3), GRU: recurrent(3, 0), RNN: recurrent(1, 0) };
