import { floatOf, intOf } from "../../attrs.ts";
import type { Node } from "../../model.ts";
import { type Axis, type Element, plain, type Value } from "../axis.ts";
import { axesAt, freshAxis, joinAxes, pinAxis, pinElements, pinValue, stopAt, type Trace, valueAt } from "../trace.ts";
import { patchShape } from "./patch.ts";
import { all, type Rule, type Rules } from "./rule.ts";

/** What an operator of several operands makes of zeros along an axis. */
type Zeros = (node: Node, has: readonly boolean[]) => boolean;

const every: Zeros = (_, zeros) => zeros.every(Boolean);
const some: Zeros = (_, zeros) => zeros.some(Boolean);
const first: Zeros = (_, zeros) => zeros[0];
const none: Zeros = () => false;

/** Axes of operands that are broadcast against each other, joined. */
export const broadcast = (
  trace: Trace,
  node: Node,
  operands: readonly (readonly Axis[])[],
  zeros: (zeros: readonly boolean[]) => boolean,
): Axis[] => {
  const rank = Math.max(...operands.map((axes) => axes.length));
  const stop = stopAt(node, "its operands have lengths that are not both known, or that cannot both be cut");
  return Array.from({ length: rank }, (_, at) => {
    const met = operands.map((axes): Axis => axes[at - (rank - axes.length)] ?? plain(1));
    const wide = met.filter(({ length }) => length !== 1);
    if (wide.length === 0) return plain(1);
    const joined = wide.reduce((a, b) => joinAxes(trace, a, b, stop));
    const zero = zeros(met.map(({ length, zero: own }) => length !== 1 && own));
    return joined.units === undefined ? plain(joined.length) : { ...joined, zero };
  });
};

const several =
  (zeros: Zeros, keepsMasked: readonly number[] = []): Rule =>
  (trace, node) => {
    for (const index of keepsMasked) {
      const weight = valueAt(trace, node, index)?.weight;
      if (weight !== undefined) trace.unmasked.add(weight);
    }
    const operands = node.inputs.map((_, index) => axesAt(trace, node, index));
    if (operands.some((axes) => axes === undefined)) return undefined;
    const axes = broadcast(trace, node, operands as Axis[][], (flags) => zeros(node, flags));
    const elements = arithmetic(trace, node);
    if (!elements)
      for (const index of node.inputs.keys())
        pinElements(trace, valueAt(trace, node, index)?.elements ?? [], stopAt(node, "it computes with the length"));
    return [{ axes, ...(elements && { elements }) }];
  };

const operations: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => Math.trunc(a / b),
};

/** Arithmetic on small integer tensors: lengths, mostly. */
const arithmetic = (trace: Trace, node: Node): Element[] | undefined => {
  const [a, b] = [valueAt(trace, node, 0)?.elements, valueAt(trace, node, 1)?.elements];
  const compute = operations[node.opType];
  if (!a || !b || !compute) return undefined;
  const at = (list: readonly Element[], i: number) => list[list.length === 1 ? 0 : i];
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => {
    const [left, right] = [at(a, i), at(b, i)];
    const known = typeof left.number === "number" && typeof right.number === "number";
    return {
      number: known ? compute(left.number as number, right.number as number) : trace.symbol(),
      from: [...left.from, ...right.from],
    };
  });
};

/** An operator of one operand that changes each element alone; `keeps`: 0 stays 0. */
const single =
  (keeps: (trace: Trace, node: Node) => boolean): Rule =>
  (trace, node) => {
    const value = valueAt(trace, node, 0);
    if (!value?.axes) return undefined;
    if (value.elements) pinElements(trace, value.elements, stopAt(node, "it computes with the length"));
    const kept = keeps(trace, node);
    return [{ axes: value.axes.map((axis) => (kept ? axis : { ...axis, zero: false })) }];
  };

/** Hands its value on as it is. */
const same: Rule = (trace, node) => {
  const value = valueAt(trace, node, 0);
  return value && [value, ...node.outputs.slice(1).map((): Value => (value.axes ? { axes: value.axes } : {}))];
};

const INTEGERS: ReadonlySet<number> = new Set([6, 7]);

const cast: Rule = (trace, node) => {
  const value = valueAt(trace, node, 0);
  if (!value) return undefined;
  if (value.elements && !INTEGERS.has(intOf(node, "to", 0))) {
    pinElements(trace, value.elements, stopAt(node, "it computes with the length"));
    return value.axes && [{ axes: value.axes }];
  }
  return [value];
};

const clipKeeps = (trace: Trace, node: Node): boolean => {
  const bound = (index: number, name: string, none: number) => {
    if (node.attributes.has(name)) return floatOf(node, name, none);
    return node.inputs[index] ? valueAt(trace, node, index)?.floats?.[0] : none;
  };
  const [low, high] = [bound(1, "min", Number.NEGATIVE_INFINITY), bound(2, "max", Number.POSITIVE_INFINITY)];
  return low !== undefined && high !== undefined && low <= 0 && high >= 0;
};

const KEEP_ZERO =
  "Abs Asin Asinh Atan Atanh Ceil Elu Erf Floor Gelu HardSwish LeakyRelu Mish Neg Relu Round Selu Sign Sin Sinh Shrink Softsign Sqrt Swish Tan Tanh ThresholdedRelu FastGelu QuickGelu";
const LOSE_ZERO = "Acos Acosh Celu Cos Cosh Exp HardSigmoid IsInf IsNaN Log Not Reciprocal Sigmoid Softplus BitwiseNot";

/** expand(x, shape): axes of length 1 become as long as they are told. */
const expand: Rule = (trace, node) => {
  const axes = axesAt(trace, node, 0);
  const elements = valueAt(trace, node, 1)?.elements;
  if (!axes || !elements) return undefined;
  const rank = Math.max(axes.length, elements.length);
  const out = Array.from({ length: rank }, (_, at): Axis => {
    const axis = axes[at - (rank - axes.length)] ?? plain(1);
    const element = elements[at - (rank - elements.length)];
    const asked = element?.number ?? 1;
    if (axis.length !== 1 || asked === 1) {
      if (typeof axis.length === "number") return axis;
      if (axis.length === asked || asked === 1) return axis;
      pinElements(trace, element ? [element] : [], stopAt(node, "it may repeat along an axis of unknown length"));
      return plain(trace.symbol());
    }
    return typeof asked === "number" ? freshAxis(trace, asked, false) : plain(asked);
  });
  patchShape(trace, node, 1, rank === elements.length ? out : out.slice(rank - elements.length));
  return [{ axes: out }];
};

/** A tensor of one value: where it is 0, it stays 0 under every mask. */
const constantOfShape: Rule = (trace, node) => {
  const elements = valueAt(trace, node, 0)?.elements;
  if (!elements) return undefined;
  const given = node.attributes.get("value");
  const zero = given?.kind !== "tensor" || Number(given.value.data[0]) === 0;
  const out = elements.map(({ number }) =>
    typeof number === "number" ? freshAxis(trace, number, zero) : plain(number),
  );
  patchShape(trace, node, 0, out);
  return [{ axes: out }];
};

/** tile(x, repeats): what is repeated stays. */
const tile: Rule = (trace, node) => {
  const axes = axesAt(trace, node, 0);
  const repeats = valueAt(trace, node, 1)?.elements;
  if (!axes || !repeats || repeats.length !== axes.length) return undefined;
  const out = axes.map((axis, i): Axis => {
    const { number } = repeats[i];
    if (number === 1) return axis;
    if (typeof number !== "number" || typeof axis.length !== "number") {
      pinAxis(trace, axis, stopAt(node, "it repeats it an unknown number of times"));
      return plain(trace.symbol());
    }
    const units = axis.units && Array.from({ length: number }, () => axis.units!).flat();
    return { length: axis.length * number, zero: axis.zero, ...(units && { units }) };
  });
  pinElements(trace, repeats, stopAt(node, "it repeats as often as the axis is long"));
  return [{ axes: out }];
};

/** Values that nothing of which can be removed, of so many axes. */
const unknown =
  (rank: number): Rule =>
  (trace, node) => {
    for (const i of node.inputs.keys()) pinValue(trace, valueAt(trace, node, i), stopAt(node, "it counts"));
    return [{ axes: Array.from({ length: rank }, () => plain(trace.symbol())) }];
  };

export const elementwise: Rules = {
  Range: unknown(1),
  NonZero: unknown(2),
  ...all(
    KEEP_ZERO,
    single(() => true),
  ),
  ...all(
    LOSE_ZERO,
    single(() => false),
  ),
  ...all("Add Sub Sum", several(every)),
  Mul: several(some),
  Div: several(first, [1]),
  Mod: several(first, [1]),
  Pow: several(first, [1]),
  PRelu: several(first),
  BiasGelu: several(every),
  ...all("Max Min Mean", several(every)),
  ...all("And Or Xor Equal Less LessOrEqual Greater GreaterOrEqual BitwiseAnd BitwiseOr", several(none)),
  Where: several((_, zeros) => zeros[1] && zeros[2]),
  Clip: single(clipKeeps),
  Cast: cast,
  CastLike: same,
  ...all("Identity Dropout", same),
  Expand: expand,
  ConstantOfShape: constantOfShape,
  Tile: tile,
};
