import { int, intOf, intsOf } from "../../attrs.ts";
import type { Node } from "../../model.ts";
import { type Axis, mergeAxes, plain, type Value } from "../axis.ts";
import { axesAt, contract, factored, fix, joinAxes, pinAxis, pinValue, stopAt, type Trace, valueAt } from "../trace.ts";
import { note } from "./products.ts";
import type { Rule, Rules } from "./rule.ts";

const KEPT_DIM = "the width of a head is fixed in the operator";

/** Positions that attention weighs against each other stay. */
const pinTimes = (trace: Trace, node: Node, values: readonly (readonly Axis[])[]) => {
  for (const axes of values) pinAxis(trace, axes[1], stopAt(node, "it weighs the whole axis"));
};

/** The heads of an axis [heads * width]; the width stays. */
const headsOf = (trace: Trace, node: Node, axis: Axis, heads: number): Axis => {
  if (typeof axis.length !== "number") return plain(heads);
  const [outer, inner] = factored(trace, axis, [heads, axis.length / heads], stopAt(node, "it reads heads"));
  pinAxis(trace, inner, stopAt(node, KEPT_DIM));
  return outer;
};

const countHeads = (trace: Trace, node: Node, name: string, heads: Axis) => {
  trace.kinds.push({ axis: heads, kind: "heads" });
  fix(trace, node, (now, shrunk) => ({
    ...now,
    attributes: new Map([
      ...now.attributes,
      [name, int(heads.units ? shrunk.kept(heads).length : (heads.length as number))],
    ]),
  }));
};

const wide = (heads: Axis, width: number, zero: boolean): Axis => {
  const axis = mergeAxes([heads, plain(width)])!;
  return { ...axis, zero };
};

/** Inputs beside query, key and value that are there: masks of one head are as good as none. */
const otherInputs = (trace: Trace, node: Node, heads: Axis, known: readonly number[]) => {
  for (const i of node.inputs.keys()) {
    if (known.includes(i) || !node.inputs[i]) continue;
    pinValue(trace, valueAt(trace, node, i), stopAt(node, "it takes it as it is"));
    const axes = axesAt(trace, node, i);
    if (!axes || axes.some(({ length }) => length === heads.length))
      pinAxis(trace, heads, stopAt(node, "another of its inputs may have an axis of heads"));
  }
};

/** onnxruntime's MultiHeadAttention: query, key, value [batch, time, heads * width], bias of all three. */
const multiHead: Rule = (trace, node) => {
  const [q, k, v] = [0, 1, 2].map((i) => axesAt(trace, node, i));
  if (q?.length !== 3 || k?.length !== 3 || v?.length !== 3 || node.inputs[6] || node.outputs.length > 1)
    return undefined;
  pinTimes(trace, node, [q, k, v]);
  const count = intOf(node, "num_heads", 1);
  const stop = stopAt(node, "query, key and value do not have the same heads");
  const heads = [q, k, v].map((axes) => headsOf(trace, node, axes[2], count));
  const all = heads.reduce((a, b) => joinAxes(trace, a, b, stop));
  const bias = node.inputs[3] ? axesAt(trace, node, 3)?.[0] : undefined;
  if (bias?.units && [q, k, v].every((axes) => axes[2].units)) {
    const units = [q, k, v].flatMap((axes) => [...axes[2].units!]);
    joinAxes(trace, bias, { length: units.length, units, zero: true }, stop);
  } else if (node.inputs[3]) pinAxis(trace, all, stopAt(node, "its bias is not known"));
  otherInputs(trace, node, all, [0, 1, 2, 3]);
  countHeads(trace, node, "num_heads", all);
  if (typeof v[2].length !== "number") return undefined;
  const zero = v[2].zero && (!bias || bias.zero);
  return [{ axes: [q[0], q[1], wide(all, v[2].length / count, zero)] }];
};

/** onnxruntime's GroupQueryAttention: query heads share the keys and values of their group; pasts and presents stay. */
const groupQuery: Rule = (trace, node) => {
  const [q, k, v] = [0, 1, 2].map((i) => axesAt(trace, node, i));
  if (q?.length !== 3 || k?.length !== 3 || v?.length !== 3) return undefined;
  pinTimes(trace, node, [q, k, v]);
  const [queries, groups] = [intOf(node, "num_heads", 1), intOf(node, "kv_num_heads", 1)];
  const own = headsOf(trace, node, q[2], queries);
  const [outer, inner] = factored(trace, own, [groups, queries / groups], stopAt(node, "its groups of heads"));
  const shared = [k, v].map((axes) => headsOf(trace, node, axes[2], groups));
  const stop = stopAt(node, "query, key and value do not have the same groups");
  const all = [outer, ...shared].reduce((a, b) => joinAxes(trace, a, b, stop));
  otherInputs(trace, node, all, [0, 1, 2]);
  const all2 = mergeAxes([all, inner])!;
  countHeads(trace, node, "num_heads", all2);
  countHeads(trace, node, "kv_num_heads", all);
  if (typeof v[2].length !== "number") return undefined;
  const y: Value = { axes: [q[0], q[1], wide(all2, v[2].length / groups, false)] };
  const present: Value = { axes: [plain(trace.symbol()), all, plain(trace.symbol()), plain(v[2].length / groups)] };
  return node.outputs.map((_, i) => (i === 0 ? y : present));
};

/** onnxruntime's Attention: one matrix [in, q + k + v] with its bias. */
const packed: Rule = (trace, node) => {
  const [x, w, b] = [0, 1, 2].map((i) => axesAt(trace, node, i));
  if (!x || !w || (node.inputs[2] && !b) || node.inputs[4] || node.outputs.length > 1) return undefined;
  pinTimes(trace, node, [x]);
  const total = w[1].length;
  if (typeof total !== "number" || !w[1].units || x.length !== 3) return undefined;
  const count = intOf(node, "num_heads", 1);
  const sizes = intsOf(node, "qkv_hidden_sizes") ?? [total / 3, total / 3, total / 3];
  contract(trace, node, x[2], w[0]);
  if (b) joinAxes(trace, w[1], b[0], stopAt(node, "its bias cannot be cut"));
  let from = 0;
  const heads = sizes.map((size) => {
    const part: Axis = { length: size, units: w[1].units!.slice(from, from + size), zero: true };
    from += size;
    return headsOf(trace, node, part, count);
  });
  const stop = stopAt(node, "query, key and value do not have the same heads");
  const all = heads.reduce((p, q) => joinAxes(trace, p, q, stop));
  otherInputs(trace, node, all, [0, 1, 2]);
  countHeads(trace, node, "num_heads", all);
  if (node.attributes.has("qkv_hidden_sizes"))
    fix(trace, node, (now, shrunk) => ({
      ...now,
      attributes: new Map([
        ...now.attributes,
        [
          "qkv_hidden_sizes",
          { kind: "ints", value: sizes.map((size) => BigInt((size / count) * shrunk.kept(all).length)) },
        ],
      ]),
    }));
  note(trace, node, "out", w[1]);
  note(trace, node, "in", w[0]);
  trace.work.push({ node, axes: [w[0], w[1]] });
  return [{ axes: [x[0], x[1], wide(all, sizes[2] / count, true)] }];
};

export const attentions: Rules = { MultiHeadAttention: multiHead, GroupQueryAttention: groupQuery, Attention: packed };
