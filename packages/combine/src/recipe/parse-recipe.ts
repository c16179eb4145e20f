import { badRecipe } from "../errors.ts";
import { type Schema, schemaProblems } from "./check-schema.ts";
import { suggestion } from "./nearest.ts";
import { isSearch, type PassRecipe, type Recipe } from "./recipe.ts";
import { passRecipeSchema, recipeSchema } from "./recipe-schema.ts";
import { recipes } from "./recipes.ts";

const recipeNames = Object.keys(recipes);

const plainNames = Object.values(recipes)
  .filter((recipe) => !isSearch(recipe))
  .map(({ name }) => name);

/** Candidates are checked one by one, so that what is wrong in one is named, and not only that it is wrong. */
const candidateProblems = (candidates: unknown): string[] => {
  if (!Array.isArray(candidates)) return [];
  return candidates.flatMap((candidate, i) => {
    const where = `recipe.candidates[${i}]`;
    if (typeof candidate !== "string") return schemaProblems(candidate, passRecipeSchema, where);
    if (plainNames.includes(candidate)) return [];
    return [`${where} is ${JSON.stringify(candidate)}, no recipe of passes; ${suggestion(candidate, plainNames)}`];
  });
};

const listOfAnything: Schema = { type: "array", minItems: 1 };
const ownSchema: Schema = { ...recipeSchema, properties: { ...recipeSchema.properties, candidates: listOfAnything } };

/** What is wrong with a recipe, as far as it can be seen without its modules; empty where nothing is. */
const recipeProblems = (json: unknown): string[] => {
  const problems = schemaProblems(json, ownSchema, "recipe");
  if (typeof json !== "object" || json === null || Array.isArray(json)) return problems;
  const { passes, candidates } = json as { passes?: unknown; candidates?: unknown };
  if (passes !== undefined && candidates !== undefined) problems.push('recipe has both "passes" and "candidates"');
  if (passes === undefined && candidates === undefined) problems.push('recipe has neither "passes" nor "candidates"');
  return [...problems, ...candidateProblems(candidates)];
};

/** A recipe from parsed JSON. @throws EspalierError `BAD_RECIPE` that names everything wrong at once */
export const parseRecipe = (json: unknown): Recipe => {
  const problems = recipeProblems(json);
  if (problems.length > 0) throw badRecipe(problems);
  return json as Recipe;
};

/** The recipe of a name. @throws EspalierError `BAD_RECIPE` with the nearest name */
export const recipeOf = (name: string): Recipe => {
  if (Object.hasOwn(recipes, name)) return recipes[name as keyof typeof recipes];
  throw badRecipe([`${JSON.stringify(name)} is no recipe; ${suggestion(name, recipeNames)}`]);
};

/** A candidate of a search, by name or as it stands. */
export const candidateOf = (candidate: string | PassRecipe): PassRecipe =>
  typeof candidate === "string" ? (recipeOf(candidate) as PassRecipe) : candidate;
