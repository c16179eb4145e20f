import { type Model, measureSize } from "@espalier/core";
import { type ApplyOptions, applyRecipe, type Made, type PassList } from "./apply-recipe.ts";
import { type Excess, type Found, overBudget } from "./budget.ts";
import type { Budget, PassRecipe } from "./recipe/recipe.ts";
import type { Measured, Reference } from "./reference.ts";

/** A recipe, what it made, and what was found of it. */
export interface Trial extends Made {
  readonly recipe: PassRecipe | PassList;
  readonly bytes: number;
  readonly measured?: Measured;
  /** Limits of the budget that it does not keep. */
  readonly excess: readonly Excess[];
}

export const makeTrial = async (model: Model, recipe: PassRecipe | PassList, options: ApplyOptions): Promise<Trial> => {
  const made = await applyRecipe(model, recipe, options);
  return { ...made, recipe, bytes: measureSize(made.model).bytes, excess: [] };
};

/** The trial with what the budget says of it, as far as it was measured. */
export const judged = (trial: Trial, budget: Budget): Trial => {
  const { bytes, measured } = trial;
  const found: Found = measured ? { ...measured, bytes, latencyRatio: measured.latency.ratio } : { bytes };
  return { ...trial, excess: overBudget(found, budget) };
};

export interface JudgeOptions {
  readonly reference: Reference;
  readonly budget: Budget;
  /** Run the user's `evaluate`. */
  readonly evaluate: boolean;
}

/** The trial, measured against the reference. */
export const measuredTrial = async (trial: Trial, { reference, budget, evaluate }: JudgeOptions): Promise<Trial> => {
  const measured = await reference.measure(trial.model, { evaluate, latencyLimit: budget.latencyRatio });
  return judged({ ...trial, measured }, budget);
};
