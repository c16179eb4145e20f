import { numbersOf } from "../../measure/numbers.ts";
import { given, type Operator, unsupported } from "../call.ts";

/** The branch that a condition chooses that is known before anything is computed. */
const ifOperator: Operator = (call) => {
  const condition = given(call, 0);
  if (condition.kind !== "host")
    throw unsupported(call, "branches on values with a gradient. Take the branch out that is trained.");
  return call.branch(numbersOf(condition.tensor)[0] !== 0 ? "then_branch" : "else_branch");
};

export const controls: Readonly<Record<string, Operator>> = { If: ifOperator };
