import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseRecipe, type Recipe, recipes } from "@espalier/combine";
import { EspalierError } from "@espalier/core";
import { badUsage, firstLine } from "./errors.ts";
import { suggestion } from "./suggestion.ts";

/** A recipe and the folder that its relative modules are in. */
export interface FoundRecipe {
  readonly recipe: Recipe;
  readonly folder: string;
}

/**
 * The recipe of a name, or of a JSON file.
 *
 * @throws EspalierError `BAD_OPTION` for a name that is none, `BAD_RECIPE` for a file that holds none
 */
export const readRecipe = async (asked: string, cwd: string): Promise<FoundRecipe> => {
  if (Object.hasOwn(recipes, asked)) return { recipe: recipes[asked as keyof typeof recipes], folder: cwd };
  if (!asked.toLowerCase().endsWith(".json")) {
    const names = Object.keys(recipes);
    const known = `The recipes are ${names.join(", ")}; a file ends in .json.`;
    throw badUsage(`there is no recipe "${asked}".${await suggestion(asked, names)} ${known}`);
  }
  const path = resolve(cwd, asked);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new EspalierError("BAD_RECIPE", "cli", `"${asked}" cannot be read: ${firstLine(cause)}. Correct the file.`, {
      cause,
    });
  }
  return { recipe: await parseRecipe(json), folder: dirname(path) };
};
