import { EspalierError } from "@espalier/core";

const listed = (problems: readonly string[]) =>
  problems.map((problem) => (/[.?]$/.test(problem) ? problem : `${problem}.`)).join(" ");

/** Everything wrong with a recipe, at once. */
export const badRecipe = (problems: readonly string[]): EspalierError =>
  new EspalierError("BAD_RECIPE", "combine/recipe", `${listed(problems)} Correct the recipe.`);

/** Passes that must not stand together. */
export const conflict = (problems: readonly string[]): EspalierError =>
  new EspalierError("CONFLICT", "combine/order", `${listed(problems)} Leave one of each two out.`);

/** Passes that need what the run has not. */
export const missingNeed = (problems: readonly string[]): EspalierError =>
  new EspalierError("MISSING_NEED", "combine/order", listed(problems));

export const badOption = (message: string): EspalierError =>
  new EspalierError("BAD_OPTION", "combine/compress", message);

export const noRuntime = (what: string): EspalierError =>
  new EspalierError("MISSING_NEED", "combine/compress", `measuring needs a runtime. Give ${what}, or measure: false.`);
