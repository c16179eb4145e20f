import { statSync } from "node:fs";
import { resolve } from "node:path";
import { findModelFile } from "@espalier/core";

/** A model that a command was given: a file, and the folder that it stands in where transformers.js's folder was named. */
export interface ModelSource {
  readonly file: string;
  readonly folder?: string;
}

/** The model of an argument. @throws EspalierError `NOT_FOUND`, `BAD_OPTION` for a folder that has none or several */
export const modelSource = async (argument: string, cwd: string, file?: string): Promise<ModelSource> => {
  const path = resolve(cwd, argument);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return { file: path };
  return { file: await findModelFile(path, file), folder: path };
};
