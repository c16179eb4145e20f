import { intOf, stringOf } from "../../attrs.ts";
import type { GroupKind } from "../../groups.ts";
import type { Node } from "../../model.ts";
import { type Axis, plain } from "../axis.ts";
import { axesAt, contract, pinAxis, stopAt, type Trace, valueAt } from "../trace.ts";
import { broadcast } from "./elementwise.ts";
import type { Rule, Rules } from "./rule.ts";

const isWeight = (trace: Trace, node: Node, index: number): boolean =>
  valueAt(trace, node, index)?.weight !== undefined;

/** Notes where the units of a weight leave and enter. */
export const note = (trace: Trace, node: Node, role: "out" | "in", axis: Axis, kind: GroupKind = "neurons"): void => {
  trace.uses.push({ node, role, axis, kind });
};

/** What products of activations tell: axes that both stack are heads, axes that both sum over are of all heads. */
const noteHeads = (trace: Trace, stacked: readonly Axis[], summed: Axis) => {
  for (const axis of stacked) if (axis.units) trace.kinds.push({ axis, kind: "heads" });
  if (summed.units) trace.kinds.push({ axis: summed, kind: "headDims" });
};

const turned = (axes: readonly Axis[], swap: boolean): readonly Axis[] =>
  swap && axes.length >= 2 ? [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!] : axes;

// [.., m, k] x [.., k, n] -> [.., m, n]
const product =
  (attributes: readonly [string, string] | [] = []): Rule =>
  (trace, node) => {
    const [first, second] = [axesAt(trace, node, 0), axesAt(trace, node, 1)];
    if (!first || !second || intOf(node, "transBatchA", 0) || intOf(node, "transBatchB", 0)) return undefined;
    const flag = (name: string | undefined) => name !== undefined && intOf(node, name, 0) !== 0;
    const a = turned(first, flag(attributes[0]));
    const b = turned(second, flag(attributes[1]));
    const [left, right] = [a.at(-1), b.at(-2) ?? b.at(-1)];
    if (!left || !right) return undefined;
    contract(trace, node, left, right);
    const stacked = broadcast(trace, node, [a.slice(0, -2), b.slice(0, -2)], ([x, y]) => x || y);
    const weights = [isWeight(trace, node, 0), isWeight(trace, node, 1)];
    const out = [...stacked, ...(a.length > 1 ? [a.at(-2)!] : []), ...(b.length > 1 ? [b.at(-1)!] : [])];
    if (weights[1]) {
      note(trace, node, "in", right);
      if (b.length > 1) note(trace, node, "out", b.at(-1)!);
    } else if (weights[0]) {
      note(trace, node, "in", left);
      if (a.length > 1) note(trace, node, "out", a.at(-2)!);
    } else {
      noteHeads(trace, stacked, left);
      const columns = b.length > 1 ? b.at(-1)! : undefined;
      if (columns?.units) trace.kinds.push({ axis: columns, kind: "headDims" });
    }
    trace.work.push({ node, axes: [...out, left] });
    return [{ axes: out }];
  };

// y [m, n] = a [m, k] b [k, n] + c
const gemm: Rule = (trace, node) => {
  const made = product(["transA", "transB"])(trace, node);
  if (!made || !node.inputs[2]) return made;
  const bias = axesAt(trace, node, 2);
  return bias && [{ axes: broadcast(trace, node, [made[0].axes!, bias], (zeros) => zeros.every(Boolean)) }];
};

/** Every label is one axis; what no output has is summed over. */
const einsum: Rule = (trace, node) => {
  const [left, right] = (stringOf(node, "equation") ?? "").replaceAll(" ", "").split("->");
  const parts = left.split(",");
  if (right === undefined || left.includes(".") || parts.length !== 2) return undefined;
  const met = new Map<string, { axis: Axis; index: number }[]>();
  for (const [index, part] of parts.entries()) {
    const axes = axesAt(trace, node, index);
    if (axes?.length !== part.length || new Set(part).size !== part.length) return undefined;
    for (const [i, label] of [...part].entries()) met.set(label, [...(met.get(label) ?? []), { axis: axes[i], index }]);
  }
  const weight = [0, 1].find((index) => isWeight(trace, node, index));
  const joined = new Map<string, Axis>();
  for (const [label, uses] of met) {
    const own = uses.find(({ index }) => index === weight)?.axis;
    if (right.includes(label)) {
      const [axis] = broadcast(
        trace,
        node,
        uses.map((use) => [use.axis]),
        (zeros) => zeros.some(Boolean),
      );
      joined.set(label, axis);
      if (own) note(trace, node, "out", own);
      else if (weight === undefined && uses.length === 2 && axis.units) trace.kinds.push({ axis, kind: "heads" });
    } else if (uses.length === 2) {
      contract(trace, node, uses[0].axis, uses[1].axis);
      joined.set(label, uses[0].axis);
      if (own) note(trace, node, "in", own);
      else if (uses[0].axis.units) trace.kinds.push({ axis: uses[0].axis, kind: "headDims" });
    } else {
      if (!uses[0].axis.zero) pinAxis(trace, uses[0].axis, stopAt(node, "its sum takes in what masks do not make 0"));
      joined.set(label, uses[0].axis);
    }
  }
  trace.work.push({ node, axes: [...joined.values()] });
  return [{ axes: [...right].map((label) => joined.get(label) ?? plain(trace.symbol())) }];
};

export const products: Rules = { MatMul: product(), Gemm: gemm, Einsum: einsum };
export const fusedProducts: Rules = {
  FusedMatMul: product(["transA", "transB"]),
  TransposeMatMul: product(["transA", "transB"]),
};
