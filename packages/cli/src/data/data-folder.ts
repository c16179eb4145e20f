import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Feeds, isEspalierError, readTensorProto, type Tensor } from "@espalier/core";
import { badData, firstLine } from "../errors.ts";
import { checkFeeds } from "./check-feeds.ts";
import type { InputSpec } from "./model-inputs.ts";
import { npzFeed } from "./npz.ts";

const INPUT_FILE = /^input_(\d+)\.pb$/;
const SET_FOLDER = /^test_data_set_\d+$/;

/** Numbers inside names in their order: 2 before 10. */
const inOrder = new Intl.Collator("en", { numeric: true }).compare;

const readTensor = (path: string, file: string): Tensor => {
  try {
    return readTensorProto(new Uint8Array(readFileSync(path))).tensor;
  } catch (error) {
    const reason = isEspalierError(error) ? error.message.replace(/^\[.*?\] /, "") : `${firstLine(error)}.`;
    throw badData(file, `holds no tensor: ${reason}`, error);
  }
};

/** The tensors of one `test_data_set_N`: `input_K.pb` is the model's input number K. */
const feedOfSet = async (folder: string, file: string, inputs: readonly InputSpec[]): Promise<Feeds> => {
  const feeds: Record<string, Tensor> = {};
  for (const name of readdirSync(folder)
    .filter((entry) => INPUT_FILE.test(entry))
    .sort(inOrder)) {
    const at = join(file, name);
    const index = Number(INPUT_FILE.exec(name)![1]);
    const input = inputs[index];
    if (!input) throw badData(at, `is input ${index}, and the model has ${inputs.length} inputs. Remove the file.`);
    feeds[input.name] = readTensor(join(folder, name), at);
  }
  return checkFeeds(inputs, feeds, file);
};

/**
 * Feeds of a folder: `test_data_set_N/input_K.pb` (or one such set itself), else one .npz file for each feed, in the
 * order of their numbers.
 *
 * @throws EspalierError `BAD_DATA`
 */
export const folderFeeds = (
  path: string,
  file: string,
  inputs: readonly InputSpec[],
): (() => AsyncGenerator<Feeds>) => {
  const entries = readdirSync(path).sort(inOrder);
  const sets = entries.filter((name) => SET_FOLDER.test(name));
  const archives = entries.filter((name) => name.endsWith(".npz"));
  const isSet = existsSync(join(path, "input_0.pb"));
  if (!isSet && sets.length === 0 && archives.length === 0) {
    const wanted = "test_data_set_0/input_0.pb … or one .npz file for each sample";
    throw badData(file, `is a folder without data. Put ${wanted} into it.`);
  }
  return async function* () {
    if (isSet) yield await feedOfSet(path, file, inputs);
    else if (sets.length > 0) for (const set of sets) yield await feedOfSet(join(path, set), join(file, set), inputs);
    else for (const name of archives) yield await npzFeed(join(path, name), join(file, name), inputs);
  };
};
