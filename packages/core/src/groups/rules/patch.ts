import { makeNode } from "../../attrs.ts";
import type { Node } from "../../model.ts";
import { tensor } from "../../tensor.ts";
import type { Axis } from "../axis.ts";
import { fix, type Shrunk, type Trace, valueAt } from "../trace.ts";

const int64 = (values: readonly number[]) => tensor("int64", [values.length], BigInt64Array.from(values.map(BigInt)));

/**
 * The node with other numbers in places of an integer input: in a constant of its own where the input is one, else
 * put over what is computed.
 */
export const patched = (
  trace: Trace,
  node: Node,
  index: number,
  numbers: ReadonlyMap<number, number>,
  shrunk: Shrunk,
): Node => {
  if (numbers.size === 0) return node;
  const value = valueAt(trace, node, index)!;
  const elements = value.elements!;
  const name = node.inputs[index];
  const put = (to: string): Node => ({ ...node, inputs: node.inputs.map((each, i) => (i === index ? to : each)) });
  if (value.weight !== undefined)
    return put(shrunk.constant(name, int64(elements.map(({ number }, i) => numbers.get(i) ?? (number as number)))));
  const mask = tensor(
    "bool",
    [elements.length],
    Uint8Array.from(elements, (_, i) => (numbers.has(i) ? 1 : 0)),
  );
  const output = shrunk.unique(`${name}_shrunk`);
  const given = int64(elements.map((_, i) => numbers.get(i) ?? 0));
  const inputs = [shrunk.constant(`${name}_fixed`, mask), shrunk.constant(`${name}_lengths`, given), name];
  shrunk.add(makeNode("Where", inputs, [output], {}, { name: output }));
  return put(output);
};

/** The shape that a node is given tells the lengths of `axes` when they have become shorter. */
export const patchShape = (trace: Trace, node: Node, index: number, axes: readonly Axis[]): void => {
  if (!axes.some(({ units }) => units !== undefined)) return;
  fix(trace, node, (now, shrunk) => {
    const numbers = new Map<number, number>();
    const elements = valueAt(trace, node, index)!.elements!;
    for (const [i, axis] of axes.entries()) {
      if (axis.units === undefined) continue;
      const count = shrunk.kept(axis).length;
      const { number } = elements[i];
      if (count !== axis.length && number !== -1) numbers.set(i, count);
    }
    return patched(trace, now, index, numbers, shrunk);
  });
};
