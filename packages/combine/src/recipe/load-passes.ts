import type { Schema } from "@cfworker/json-schema";
import { isEspalierError, type Pass, stages } from "@espalier/core";
import { badRecipe } from "../errors.ts";
import { orderProblem } from "../order.ts";
import { schemaProblems } from "./check-schema.ts";
import { suggestion } from "./nearest.ts";
import type { PassEntry, PassRecipe, Target } from "./recipe.ts";
import { isNamedRecipe } from "./recipes.ts";

/** Loads a module by the name that a recipe gives. */
export type ImportModule = (name: string) => Promise<unknown>;

const importByName: ImportModule = (name) => import(/* @vite-ignore */ /* webpackIgnore: true */ name);

type Exports = Readonly<Record<string, unknown>>;

const firstLine = (error: unknown) => (error instanceof Error ? error.message : String(error)).split("\n")[0];

const isPass = (value: unknown): value is Pass => {
  const pass = value as Partial<Pass> | null | undefined;
  return typeof pass?.name === "string" && typeof pass.apply === "function" && stages.includes(pass.stage as never);
};

/** Factories that a module offers: those that it gives option schemas of, else all functions. */
const offered = (module: Exports): string[] =>
  Object.keys((module.optionSchemas as Exports | undefined) ?? module).filter(
    (name) => typeof module[name] === "function",
  );

type Options = NonNullable<PassEntry["options"]>;

interface Loading {
  readonly load: ImportModule;
  readonly target: Target;
  /** False where the options are known to be right. */
  readonly check: boolean;
}

/** Options with the pass itself in place of those that name one (schema keyword `makesPass`), or what is wrong with them. */
const withPasses = async (
  options: Options,
  schema: Schema | undefined,
  where: string,
  loading: Loading,
): Promise<Options | string[]> => {
  const made: Record<string, unknown> = { ...options };
  for (const [key, option] of Object.entries(schema?.properties ?? {})) {
    if (typeof option !== "object" || option.makesPass !== true || options[key] === undefined) continue;
    const found = await loadOne(options[key] as PassEntry, `${where}.options.${key}`, loading);
    if (Array.isArray(found)) return found;
    made[key] = found;
  }
  return made;
};

const loadOne = async (
  { pass: path, options = {} }: PassEntry,
  where: string,
  loading: Loading,
): Promise<Pass | string[]> => {
  const { load, target, check } = loading;
  const cut = path.lastIndexOf("/");
  const [name, factory] = [path.slice(0, cut), path.slice(cut + 1)];
  if (cut < 1 || factory === "")
    return [`${where}.pass is "${path}", and must name a module and its export, as "@espalier/quant/rtn" does`];
  let module: Exports;
  try {
    module = (await load(name)) as Exports;
  } catch (error) {
    return [
      `${where}.pass: module "${name}" could not be loaded (${firstLine(error)}); install it, or correct the name`,
    ];
  }
  const make = module[factory];
  if (typeof make !== "function")
    return [`${where}.pass: module "${name}" has no pass "${factory}"; ${await suggestion(factory, offered(module))}`];
  const schema = (module.optionSchemas as Readonly<Record<string, Schema>> | undefined)?.[factory];
  const problems = schema && check ? await schemaProblems(options, schema, `${where}.options`) : [];
  if (problems.length > 0) return problems;
  const given = await withPasses(options, schema, where, loading);
  if (Array.isArray(given)) return given;
  const targeted = schema?.properties?.target !== undefined && options.target === undefined;
  try {
    const made: unknown = await make(targeted ? { ...given, target } : given);
    return isPass(made) ? made : [`${where}.pass: "${path}" makes no pass (name, stage and apply)`];
  } catch (error) {
    const message = isEspalierError(error) ? error.message.replace(/^\[[^\]]*\] /, "") : firstLine(error);
    return [`${where}: "${path}" refused its options: ${message}`];
  }
};

export interface LoadOptions {
  readonly importModule?: ImportModule | undefined;
  readonly target: Target;
  /** What messages call the recipe. */
  readonly where: string;
}

/** The passes of a recipe that could be loaded, and what is wrong with the others. */
export const tryLoadPasses = async (
  recipe: PassRecipe,
  { importModule = importByName, target, where }: LoadOptions,
): Promise<{ passes: Pass[]; problems: string[] }> => {
  const loaded: Pass[] = [];
  const problems: string[] = [];
  const loading: Loading = { load: importModule, target, check: !isNamedRecipe(recipe) };
  for (const [i, entry] of recipe.passes.entries()) {
    const found = await loadOne(entry, `${where}.passes[${i}]`, loading);
    if (Array.isArray(found)) problems.push(...found);
    else loaded.push(found);
  }
  const disorder = problems.length === 0 ? orderProblem(loaded) : undefined;
  return { passes: loaded, problems: disorder === undefined ? problems : [`${where}.passes: ${disorder}`] };
};

/**
 * The passes of a recipe, in its order. A pass whose options have a `target` gets the run's, unless the recipe says
 * another. Loading a module runs it: take recipes from those whose code you would run.
 *
 * @param importModule resolves module names where the passes are installed; by default, from this package
 * @throws EspalierError `BAD_RECIPE` that names every module, export and option that is wrong, or the right order
 */
export const loadPasses = async (
  recipe: PassRecipe,
  importModule?: ImportModule,
  target: Target = recipe.target ?? "node",
): Promise<Pass[]> => {
  const { passes, problems } = await tryLoadPasses(recipe, { importModule, target, where: "recipe" });
  if (problems.length > 0) throw badRecipe(problems);
  return passes;
};
