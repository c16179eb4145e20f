import { type AnyArray, arrayKind, caseName, type Op, type Row, type Spec, type Values } from "../op.ts";
import { copyValues } from "./compile.ts";

/** Undefined where they agree, else the first element of an output that is further from the reference than allowed. */
const firstDifference = (op: Op, wanted: Values<Spec>, got: Values<Spec>, bounds: Expectation["bounds"]) => {
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

/** A call, what the reference makes of it, and how far from that a kernel may be. */
export interface Expectation {
  readonly values: Values<Spec>;
  readonly wanted: Values<Spec>;
  readonly bounds?: Readonly<Record<string, ArrayLike<number>>>;
}

export const expectation = ({ op, reference }: Row, values: Values<Spec>): Expectation => {
  const wanted = copyValues(op, values);
  reference(wanted);
  return op.tolerance === "exact" ? { values, wanted } : { values, wanted, bounds: op.tolerance(values) };
};

/** Runs an op by `run` on a copy of the arguments: undefined where it agrees with the reference, else what differs. */
export const differenceFrom = (
  op: Op,
  { values, wanted, bounds }: Expectation,
  run: (values: Values<Spec>) => void,
): string | undefined => {
  const got = copyValues(op, values);
  run(got);
  const difference = firstDifference(op, wanted, got, bounds);
  return difference && `${difference} (${caseName(op, values)})`;
};
