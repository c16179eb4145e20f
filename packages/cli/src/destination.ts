import type { LayerEntry } from "@espalier/combine";
import {
  hasExternalData,
  type Model,
  type SavedModel,
  saveModel,
  saveTransformers,
  type TransformersDtype,
  transformersDtypes,
} from "@espalier/core";
import { badUsage } from "./errors.ts";
import type { ModelSource } from "./model-source.ts";
import { outputFolder, outputPath } from "./output-path.ts";
import { transformersDtype } from "./transformers-dtype.ts";

export interface DestinationFlags {
  readonly output?: string;
  readonly file?: string;
  readonly dtype?: string;
  readonly recipe: string;
  readonly force: boolean;
}

/** Where a result goes. */
export interface Destination {
  /** The model file, where it is known beforehand. */
  readonly path?: string;
  save(after: Model, layers: readonly LayerEntry[], signal?: AbortSignal): Promise<SavedModel>;
}

const checkedDtype = (dtype: string | undefined): TransformersDtype | undefined => {
  if (dtype === undefined || Object.hasOwn(transformersDtypes, dtype)) return dtype as TransformersDtype | undefined;
  throw badUsage(`there is no dtype "${dtype}". transformers.js knows ${Object.keys(transformersDtypes).join(", ")}.`);
};

/** A file for a file, and a folder as transformers.js reads it for a folder. @throws EspalierError, see `outputPath` */
export const destination = (
  { file, folder }: ModelSource,
  before: Model,
  { output, file: part, dtype: asked, recipe, force }: DestinationFlags,
  cwd: string,
): Destination => {
  if (folder === undefined && (part ?? asked) !== undefined)
    throw badUsage("--file and --dtype are for a folder as transformers.js reads it. Name that folder.");
  const named = { recipe, force, ...(output !== undefined && { out: output }) };
  const externalData = hasExternalData(before) || "auto";
  const options = (signal: AbortSignal | undefined) => ({ force, externalData, ...(signal && { signal }) }) as const;
  if (folder === undefined) {
    const path = outputPath({ model: file, ...named }, cwd);
    return { path, save: (after, _, signal) => saveModel(after, path, options(signal)) };
  }
  const dtype = checkedDtype(asked);
  const to = outputFolder({ folder, ...named }, cwd);
  return {
    save: (after, layers, signal) =>
      saveTransformers(after, to, {
        from: folder,
        dtype: dtype ?? transformersDtype(layers),
        ...(part !== undefined && { file: part }),
        ...options(signal),
      }),
  };
};
