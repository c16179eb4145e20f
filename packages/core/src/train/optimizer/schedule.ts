import { EspalierError } from "../../errors.ts";

/** How the learning rate goes, as a factor of it. */
export type Schedule =
  | "constant"
  | "cosine"
  | { readonly kind: "cosine"; readonly warmUp?: number; readonly end?: number }
  | { readonly kind: "constant"; readonly warmUp?: number }
  | { readonly kind: "step"; readonly every: number; readonly factor: number; readonly warmUp?: number }
  | ((progress: { readonly step: number; readonly steps: number; readonly epoch: number }) => number);

/**
 * The factor of the learning rate at a step.
 *
 * - cosine: (1 + cos(π t / T)) / 2, from 1 to `end`. Source: arXiv:1608.03983, eq. 5.
 * - step: `factor` to the power of the number of times that `every` epochs have passed.
 * - `warmUp`: the share of all steps over which the factor rises to that first, linearly.
 *
 * @param step from 0
 * @param steps of the whole training
 * @throws EspalierError `BAD_OPTION` for numbers out of range
 */
export const rateAt = (schedule: Schedule, step: number, steps: number, epoch: number): number => {
  if (typeof schedule === "function") return schedule({ step, steps, epoch });
  const plan = typeof schedule === "string" ? { kind: schedule } : schedule;
  const warm = "warmUp" in plan ? (plan.warmUp ?? 0) : 0;
  if (!(warm >= 0 && warm < 1))
    throw new EspalierError("BAD_OPTION", "core/train", `warmUp is ${warm}. Give the share of steps, 0 to below 1.`);
  const rising = Math.ceil(warm * steps);
  if (step < rising) return (step + 1) / rising;
  if (plan.kind === "constant") return 1;
  if (plan.kind === "step") {
    if (!("every" in plan) || !(plan.every >= 1) || !(plan.factor > 0))
      throw new EspalierError(
        "BAD_OPTION",
        "core/train",
        "a step schedule needs `every` epochs of 1 or more and a `factor` above 0.",
      );
    return plan.factor ** Math.floor(epoch / plan.every);
  }
  const end = "end" in plan ? (plan.end ?? 0) : 0;
  const share = steps > rising ? (step - rising) / (steps - rising) : 0;
  return end + ((1 - end) * (1 + Math.cos(Math.PI * share))) / 2;
};
