import type { Schema } from "@cfworker/json-schema";
import { badRecipe } from "../errors.ts";
import { schemaProblems } from "./check-schema.ts";
import { suggestion } from "./nearest.ts";
import { isSearch, type PassRecipe, type Recipe } from "./recipe.ts";
import { passRecipeSchema, recipeSchema } from "./recipe-schema.ts";
import { isNamedRecipe, recipes } from "./recipes.ts";

const recipeNames = Object.keys(recipes);

const plainNames = Object.values(recipes)
  .filter((recipe) => !isSearch(recipe))
  .map(({ name }) => name);

/** Candidates are checked one by one, so that what is wrong in one is named, and not only that it is wrong. */
const candidateProblems = async (candidates: unknown): Promise<string[]> => {
  if (!Array.isArray(candidates)) return [];
  const told = candidates.map(async (candidate, i) => {
    const where = `recipe.candidates[${i}]`;
    if (typeof candidate !== "string") return schemaProblems(candidate, passRecipeSchema, where);
    if (plainNames.includes(candidate)) return [];
    return [
      `${where} is ${JSON.stringify(candidate)}, no recipe of passes; ${await suggestion(candidate, plainNames)}`,
    ];
  });
  return (await Promise.all(told)).flat();
};

const listOfAnything: Schema = { type: "array", minItems: 1 };
const { oneOf: _, ...fieldsSchema } = recipeSchema;
const ownSchema: Schema = { ...fieldsSchema, properties: { ...recipeSchema.properties, candidates: listOfAnything } };

/** What is wrong with a recipe, as far as it can be seen without its modules; empty where nothing is. */
const recipeProblems = async (json: unknown): Promise<string[]> => {
  const problems = await schemaProblems(json, ownSchema, "recipe");
  if (typeof json !== "object" || json === null || Array.isArray(json)) return problems;
  const { passes, candidates } = json as { passes?: unknown; candidates?: unknown };
  if (passes !== undefined && candidates !== undefined) problems.push('recipe has both "passes" and "candidates"');
  if (passes === undefined && candidates === undefined) problems.push('recipe has neither "passes" nor "candidates"');
  return [...problems, ...(await candidateProblems(candidates))];
};

/** A recipe from parsed JSON. @throws EspalierError `BAD_RECIPE` that names everything wrong at once */
export const parseRecipe = async (json: unknown): Promise<Recipe> => {
  if (isNamedRecipe(json)) return json;
  const problems = await recipeProblems(json);
  if (problems.length > 0) throw badRecipe(problems);
  return json as Recipe;
};

/** The recipe of a name. @throws EspalierError `BAD_RECIPE` with the nearest name */
export const recipeOf = async (name: string): Promise<Recipe> => {
  if (Object.hasOwn(recipes, name)) return recipes[name as keyof typeof recipes];
  throw badRecipe([`${JSON.stringify(name)} is no recipe; ${await suggestion(name, recipeNames)}`]);
};

/** A candidate of a search that was checked, by name or as it stands. */
export const candidateOf = (candidate: string | PassRecipe): PassRecipe =>
  typeof candidate === "string" ? (recipes[candidate as keyof typeof recipes] as PassRecipe) : candidate;
