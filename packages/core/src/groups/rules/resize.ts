import { intsOf } from "../../attrs.ts";
import type { Node } from "../../model.ts";
import { type Axis, plain } from "../axis.ts";
import { axesAt, fix, fromFront, pinAxis, pinElements, stopAt, type Trace, valueAt } from "../trace.ts";
import { patched } from "./patch.ts";
import type { Rule, Rules } from "./rule.ts";

/** Resizes x [n, c, ..] by `scales`, or to `sizes`; axes that keep their length keep their positions. */
const resizeBy =
  (scalesAt: number, sizesAt: number): Rule =>
  (trace, node) => {
    const x = axesAt(trace, node, 0);
    if (!x) return undefined;
    const scales = (node.inputs[scalesAt] ? valueAt(trace, node, scalesAt)?.floats : undefined) ?? [];
    const sizes = sizesAt >= 0 && node.inputs[sizesAt] ? valueAt(trace, node, sizesAt)?.elements : undefined;
    const chosen = intsOf(node, "axes")?.map((axis) => fromFront(axis, x.length)) ?? x.map((_, i) => i);
    const out = x.map((axis, at): Axis => {
      const i = chosen.indexOf(at);
      if (i < 0 || scales[i] === 1 || (sizes && sizes[i].number === axis.length)) return axis;
      pinAxis(trace, axis, stopAt(node, "it resizes the axis, or may"));
      if (sizes) return plain(sizes[i].number);
      const known = scales[i] !== undefined && typeof axis.length === "number";
      return plain(known ? Math.floor((axis.length as number) * scales[i]) : trace.symbol());
    });
    if (sizes) {
      patchSizes(trace, node, sizesAt, out, chosen);
      for (const [i, element] of sizes.entries())
        if (out[chosen[i]] !== x[chosen[i]]) pinElements(trace, [element], stopAt(node, "it resizes to the length"));
    }
    return [{ axes: out }];
  };

const patchSizes = (trace: Trace, node: Node, index: number, out: readonly Axis[], chosen: readonly number[]) => {
  fix(trace, node, (now, shrunk) => {
    const numbers = new Map<number, number>();
    for (const [i, at] of chosen.entries()) {
      const axis = out[at];
      if (axis.units && shrunk.kept(axis).length !== axis.length) numbers.set(i, shrunk.kept(axis).length);
    }
    return patched(trace, now, index, numbers, shrunk);
  });
};

const FROM_REGION = 11;

export const resizing: Rules = {
  Resize: (trace, node) => (trace.opset < FROM_REGION ? resizeBy(1, -1) : resizeBy(2, 3))(trace, node),
  Upsample: resizeBy(1, -1),
};
