import { intOf, intsOf, stringOf } from "../../attrs.ts";
import type { Node } from "../../model.ts";
import { type Axis, plain } from "../axis.ts";
import type { Trace } from "../trace.ts";

/** Lengths of what a window slides over, where the input's are known. */
export const windowLengths = (trace: Trace, node: Node, given: readonly Axis[], kernel: readonly Axis[]): Axis[] => {
  const rank = given.length;
  const ones = new Array<number>(rank).fill(1);
  const strides = intsOf(node, "strides") ?? ones;
  const dilations = intsOf(node, "dilations") ?? ones;
  const pads = intsOf(node, "pads") ?? new Array<number>(2 * rank).fill(0);
  const auto = stringOf(node, "auto_pad") ?? "NOTSET";
  const round = intOf(node, "ceil_mode", 0) === 0 ? Math.floor : Math.ceil;
  return given.map(({ length }, i) => {
    const size = kernel[i].length;
    if (typeof length !== "number" || typeof size !== "number") return plain(trace.symbol());
    if (auto.startsWith("SAME")) return plain(Math.ceil(length / strides[i]));
    const padding = auto === "VALID" ? 0 : pads[i] + pads[rank + i];
    const free = length + padding - dilations[i] * (size - 1) - 1;
    let positions = round(free / strides[i]) + 1;
    // a last window that would start in the padding behind is left out
    if (round === Math.ceil && (positions - 1) * strides[i] >= length + pads[i]) positions--;
    return plain(positions);
  });
};
