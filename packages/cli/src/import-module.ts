import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { nodeCode } from "./errors.ts";

type Module = Record<string, unknown>;
type Target = string | readonly Target[] | { readonly [condition: string]: Target } | null | undefined;

const CONDITIONS = ["node", "import", "module-sync", "default"];

/** The file that an `exports` entry names for `import`. Source: Node's documentation, "Conditional exports". */
const targetOf = (target: Target): string | undefined => {
  if (target === null || target === undefined || typeof target === "string") return target ?? undefined;
  if (Array.isArray(target)) return target.map(targetOf).find((found) => found !== undefined);
  const entries = Object.entries(target).filter(([condition]) => CONDITIONS.includes(condition));
  return entries.map(([, inner]) => targetOf(inner)).find((found) => found !== undefined);
};

/** The file of a package that can only be imported, which `require.resolve` does not find. */
const importOnly = (name: string, folders: readonly string[]): string | undefined => {
  const [, id, rest] = /^((?:@[^/]+\/)?[^/]+)(.*)$/.exec(name) ?? [];
  const folder = folders.map((at) => join(at, id ?? "")).find((at) => existsSync(join(at, "package.json")));
  if (id === undefined || folder === undefined) return undefined;
  const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { exports?: Target };
  const paths = typeof exports === "object" && exports !== null && Object.keys(exports)[0]?.startsWith(".");
  const entry = paths ? (exports as Record<string, Target>)[`.${rest}`] : rest === "" ? exports : undefined;
  const target = targetOf(entry);
  return target && join(folder, target);
};

const resolveFrom = (name: string, folder: string): string | undefined => {
  const require = createRequire(join(folder, "resolve.cjs"));
  try {
    return require.resolve(name);
  } catch {
    return importOnly(name, require.resolve.paths(name) ?? []);
  }
};

/**
 * Imports modules by name: packages of the command itself first (by `own`), then those installed where the user works;
 * paths (`./mine.mjs`) from `folder`.
 */
export const importer =
  (folder: string, own: (name: string) => Promise<unknown> = (name) => import(name)) =>
  async (name: string): Promise<Module> => {
    if (/^\.{0,2}\//.test(name)) return import(pathToFileURL(resolve(folder, name)).href);
    try {
      return (await own(name)) as Module;
    } catch (error) {
      // the package itself is missing, not something that it imports
      const missing = nodeCode(error) === "ERR_MODULE_NOT_FOUND" && String(error).includes(`'${name.split("/")[0]}`);
      const found = missing ? resolveFrom(name, folder) : undefined;
      if (found === undefined) throw error;
      return import(pathToFileURL(found).href);
    }
  };
