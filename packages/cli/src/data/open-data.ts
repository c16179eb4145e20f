import { statSync } from "node:fs";
import { extname, resolve } from "node:path";
import type { Model } from "@espalier/core";
import { badData } from "../errors.ts";
import type { Data } from "./data.ts";
import { modelInputs } from "./model-inputs.ts";

const MODULES = [".mjs", ".js", ".cjs", ".mts", ".ts"];

const open = async (file: string, cwd: string, model: Model): Promise<Data> => {
  const path = resolve(cwd, file);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw badData(file, "is not there. Check the path of --data.");
  const inputs = modelInputs(model);
  const close = async () => undefined;
  if (stat.isDirectory()) {
    const { folderFeeds } = await import("./data-folder.ts");
    return { calibration: folderFeeds(path, file, inputs), close };
  }
  const extension = extname(file).toLowerCase();
  if (extension === ".npz") {
    const { npzSamples } = await import("./npz.ts");
    return { calibration: await npzSamples(path, file, inputs), close };
  }
  if (MODULES.includes(extension)) {
    const { moduleData } = await import("./data-module.ts");
    return moduleData(path, file, inputs);
  }
  throw badData(file, "is no data that can be read. Give a module (.mjs), an archive (.npz) or a folder.");
};

/**
 * Opens calibration data for a model, and reads its first sample, so that wrong data is known before any work.
 *
 * @param file path of a module, a .npz file or a folder, from `cwd`
 * @throws EspalierError `BAD_DATA` that names the file, the input and what to do
 */
export const openData = async (file: string, cwd: string, model: Model): Promise<Data> => {
  const data = await open(file, cwd, model);
  try {
    for await (const _ of data.calibration()) return data;
  } catch (error) {
    await data.close();
    throw error;
  }
  await data.close();
  throw badData(file, "has no samples. Give at least one, each time `calibration` is called.");
};
