import type { Row } from "../op.ts";
import type { Arena } from "./arena.ts";
import { withAddresses } from "./call.ts";
import { differenceFrom, type Expectation, expectation } from "./compare.ts";
import { type Kernel, runKernel } from "./compile.ts";

/** A test of an op's kernels on its adversarial cases: undefined where one agrees with the reference, else what differs. */
export const makeSelfTest = (row: Row, arena: Arena): ((kernel: Kernel) => string | undefined) => {
  let cases: Expectation[] | undefined;
  return (kernel) => {
    cases ??= [...row.op.cases("load")].map((values) => expectation(row, values));
    for (const one of cases) {
      const difference = differenceFrom(row.op, one, (copy) =>
        withAddresses(arena, row.op, copy, (call) => runKernel(arena, row.op, kernel, call)),
      );
      if (difference) return difference;
    }
    return undefined;
  };
};
