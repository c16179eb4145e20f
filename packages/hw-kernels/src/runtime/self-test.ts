import type { Row } from "../op.ts";
import type { Arena } from "./arena.ts";
import { withAddresses } from "./call.ts";
import { compareWithReference } from "./compare.ts";
import { type Kernel, runKernel } from "./compile.ts";

/** Runs a kernel on the op's adversarial cases: undefined where it agrees with the reference, else what differs. */
export const selfTest = ({ op, reference }: Row, arena: Arena, kernel: Kernel): string | undefined => {
  for (const values of op.cases("load")) {
    const difference = compareWithReference(op, reference, values, (copy) =>
      withAddresses(arena, op, copy, (call) => runKernel(arena, op, kernel, call)),
    );
    if (difference) return difference;
  }
  return undefined;
};
