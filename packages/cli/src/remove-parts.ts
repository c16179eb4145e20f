import { readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Removes what `saveModel` had begun to write for `path`: the model and its external data under temporary names. */
export const removeParts = (path: string): void => {
  const name = basename(path).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const part = new RegExp(`^${name}(_data(_\\d+)?)?\\.[0-9a-f-]{36}\\.tmp$`);
  for (const file of readdirSync(dirname(path)))
    if (part.test(file)) rmSync(join(dirname(path), file), { force: true });
};
