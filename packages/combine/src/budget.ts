import type { OutputComparison } from "./compare-outputs.ts";
import type { Budget, Target } from "./recipe/recipe.ts";
import type { Metrics } from "./report/report.ts";

/** What a search keeps where nobody says: at least as close as 8-bit weights come on the models that we measured. */
const USUAL_FIDELITY = { relativeL2: 0.1, argmaxAgreement: 0.98 };
const USUAL_LATENCY = 1.1;

export interface BudgetContext {
  readonly maxDrop: number | undefined;
  readonly target: Target;
  /** A search fills in what nobody said. */
  readonly search: boolean;
}

/** What a result is held to: the recipe's budget, with `maxDrop` in place of its fidelity. */
export const budgetOf = (own: Budget = {}, { maxDrop, target, search }: BudgetContext): Budget => {
  const { bytes, latencyRatio } = own;
  const limits = { ...(bytes !== undefined && { bytes }), ...(latencyRatio !== undefined && { latencyRatio }) };
  const fidelity = maxDrop === undefined ? { ...own, ...limits } : { maxDrop, ...limits };
  if (!search) return fidelity;
  const silent =
    fidelity.maxDrop === undefined && fidelity.relativeL2 === undefined && fidelity.argmaxAgreement === undefined;
  return {
    ...(target !== "size" && { latencyRatio: USUAL_LATENCY }),
    ...(silent && USUAL_FIDELITY),
    ...fidelity,
  };
};

/** What was found of a result, as far as it was measured. */
export interface Found extends Partial<Pick<OutputComparison, "fidelity" | "counted">> {
  readonly bytes: number;
  readonly latencyRatio?: number;
  readonly metrics?: { readonly before: Metrics; readonly after: Metrics };
}

/** A limit that is not kept. */
export interface Excess {
  /** "latency 1.31 × the input's, at most 1.1" */
  readonly reason: string;
  /** How many times over; infinite where there is no scale. */
  readonly times: number;
}

const number = (value: number) => (Number.isFinite(value) ? Number(value.toPrecision(3)).toString() : "infinite");

/** Slack for sums of decimals: a drop of 0.91 - 0.9 keeps 0.01. */
const SLACK = 1 + 1e-9;

const above = (value: number, limit: number, what: string): Excess[] =>
  value <= limit * SLACK
    ? []
    : [
        {
          reason: `${what} ${number(value)}, at most ${number(limit)}`,
          times: Number.isNaN(value) ? Number.POSITIVE_INFINITY : value / limit,
        },
      ];

/** Loss in the first metric, in its own unit; below 0 for a gain. Undefined where there is none. */
const dropOf = ({ before, after }: NonNullable<Found["metrics"]>): { name: string; drop: number } | undefined => {
  const name = Object.keys(before)[0];
  if (name === undefined) return undefined;
  const [was, is] = [before[name]!, after[name]?.value ?? Number.NaN];
  return { name, drop: was.better === "lower" ? is - was.value : was.value - is };
};

/** One limit of distance, on each output; of values that are no floats, the share that differs. */
const distances = ({ fidelity = {}, counted = [] }: Found, limit: number): Excess[] =>
  counted.flatMap(({ name, float }) => {
    const found = fidelity[name]!;
    return float
      ? above(found.relativeL2, limit, `relative L2 of "${name}"`)
      : above(1 - (found.argmaxAgreement ?? 0), limit, `share of other values in "${name}"`);
  });

const agreements = ({ fidelity = {}, counted = [] }: Found, limit: number): Excess[] =>
  counted.flatMap(({ name }) => {
    const agreement = fidelity[name]!.argmaxAgreement ?? 1;
    if (agreement * SLACK >= limit) return [];
    const reason = `argmax agreement of "${name}" ${number(agreement)}, at least ${number(limit)}`;
    return [{ reason, times: (1 - agreement) / (1 - limit) }];
  });

/** Every limit of the budget that is not kept; what was not measured is not judged. */
export const overBudget = (found: Found, budget: Budget): Excess[] => {
  const { bytes, maxDrop, relativeL2, argmaxAgreement, latencyRatio } = budget;
  const drop = found.metrics && dropOf(found.metrics);
  return [
    ...(bytes === undefined ? [] : above(found.bytes, bytes, "bytes")),
    ...(maxDrop === undefined
      ? []
      : drop
        ? above(drop.drop, maxDrop, `drop of ${drop.name}`)
        : distances(found, maxDrop)),
    ...(relativeL2 === undefined ? [] : distances(found, relativeL2)),
    ...(argmaxAgreement === undefined ? [] : agreements(found, argmaxAgreement)),
    ...(latencyRatio === undefined || found.latencyRatio === undefined
      ? []
      : above(found.latencyRatio, latencyRatio, "latency over the input's")),
  ];
};
