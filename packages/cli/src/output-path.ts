import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { EspalierError } from "@espalier/core";
import { badUsage } from "./errors.ts";

export interface OutputRequest {
  /** The model that is read. */
  readonly model: string;
  /** `-o`: a file, or a folder that is there; beside the model where it is absent. */
  readonly out?: string;
  readonly recipe: string;
  readonly force?: boolean;
}

/** Device and file number, which are the same for every spelling of a path and every link to a file. */
const identity = (path: string): string | undefined => {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat && `${stat.dev}:${stat.ino}`;
};

const isFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** The model file, and the files of external data beside it (also beside the file that a link points to). */
const inputFiles = (model: string): string[] => {
  const real = realpathSync(model);
  const beside = [...new Set([dirname(model), dirname(real)])].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => [basename(model), basename(real)].some((file) => name.startsWith(`${file}_data`)))
      .map((name) => join(folder, name)),
  );
  return [model, ...beside];
};

/** Files that may be written: the output, and its external data. */
const outputFiles = (out: string): string[] =>
  readdirSync(dirname(out))
    .filter((name) => name === basename(out) || name.startsWith(`${basename(out)}_data`))
    .map((name) => join(dirname(out), name));

/** The same for a folder as transformers.js reads it. */
export interface OutputFolderRequest extends Omit<OutputRequest, "model"> {
  /** The folder that is read. */
  readonly folder: string;
}

const safe = (recipe: string) => recipe.replace(/[^\w.@-]+/g, "-");

/**
 * The folder that a compressed model goes to: `-o`, or `FOLDER-RECIPE` beside the one that is read. What is there may
 * be added to by `force`; the folder that is read may be added to as well.
 *
 * @throws EspalierError `BAD_OPTION` where it is no folder, `EXISTS` where it holds something, unless `force`
 */
export const outputFolder = ({ folder, out, recipe, force = false }: OutputFolderRequest, cwd: string): string => {
  const path = out === undefined ? `${folder.replace(/[/\\]+$/, "")}-${safe(recipe)}` : resolve(cwd, out);
  if (!existsSync(path)) {
    if (!isFolder(dirname(path)))
      throw badUsage(`there is no folder "${dirname(path)}" for the output. Make it first.`);
    return path;
  }
  if (!isFolder(path)) throw badUsage(`the output "${path}" is a file. Name a folder, as the model is one.`);
  if (readdirSync(path).length > 0 && !force) {
    const found = `"${path}" is there already. Name another folder by -o, or add to it by --force.`;
    throw new EspalierError("EXISTS", "cli", found);
  }
  return path;
};

/**
 * Where the compressed model goes: `-o`, or `NAME.RECIPE.onnx` beside the model.
 *
 * @throws EspalierError `BAD_OPTION` where it would overwrite the model (by whatever path or link) or has no folder,
 *   `EXISTS` for another file that is there, unless `force`
 */
export const outputPath = ({ model, out, recipe, force = false }: OutputRequest, cwd: string): string => {
  const input = resolve(cwd, model);
  const name = `${basename(input).replace(/\.onnx$/i, "")}.${safe(recipe)}.onnx`;
  const asked = out === undefined ? join(dirname(input), name) : resolve(cwd, out);
  const path = isFolder(asked) ? join(asked, name) : asked;
  if (!isFolder(dirname(path))) throw badUsage(`there is no folder "${dirname(path)}" for the output. Make it first.`);
  if (isFolder(path)) throw badUsage(`the output "${path}" is a folder. Name a file.`);
  const inputs = new Set(inputFiles(input).map(identity));
  const taken = outputFiles(path).find((file) => inputs.has(identity(file)));
  if (path === input || taken) {
    throw badUsage(`the output "${path}" would overwrite the model that is read. Name another file by -o.`);
  }
  if (existsSync(path) && !force) {
    throw new EspalierError("EXISTS", "cli", `"${path}" is there already. Name another file by -o, or add --force.`);
  }
  return path;
};
