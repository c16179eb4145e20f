import { type AnyArray, arrayKind, caseName, type Op, type Spec, type Values } from "../op.ts";
import { copyValues } from "./compile.ts";

/** Undefined where they agree, else the first element of an output that is further from the reference than allowed. */
const firstDifference = (
  op: Op,
  wanted: Values<Spec>,
  got: Values<Spec>,
  bounds?: Record<string, ArrayLike<number>>,
) => {
  for (const [name, kind] of Object.entries(op.args)) {
    if (!arrayKind(kind)?.written) continue;
    const reference = wanted[name] as unknown as AnyArray;
    const result = got[name] as unknown as AnyArray;
    const bound = bounds?.[name];
    for (let i = 0; i < reference.length; i++) {
      const [x, y] = [reference[i]!, result[i]!];
      if (Object.is(x, y) || (x === y && bound)) continue;
      if (bound && Math.abs(x - y) <= bound[i]!) continue;
      return `${name}[${i}] is ${y}, the reference says ${x}${bound ? ` with a bound of ${bound[i]}` : ""}`;
    }
  }
  return undefined;
};

/** Runs an op by `run` and by the reference on copies of the arguments: undefined where they agree, else what differs. */
export const compareWithReference = (
  op: Op,
  reference: (values: Values<Spec>) => void,
  values: Values<Spec>,
  run: (values: Values<Spec>) => void,
): string | undefined => {
  const bounds = op.tolerance === "exact" ? undefined : op.tolerance(values);
  const [wanted, got] = [copyValues(op, values), copyValues(op, values)];
  reference(wanted);
  run(got);
  const difference = firstDifference(op, wanted, got, bounds);
  return difference && `${difference} (${caseName(op, values)})`;
};
