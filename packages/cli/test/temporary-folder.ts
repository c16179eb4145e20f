import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach } from "vitest";

const make = () => mkdtempSync(join(tmpdir(), "espalier-cli-"));
const remove = (folder: string) => rmSync(folder, { recursive: true, force: true });

/** A new folder for each test of the file, removed after it; `at("name")` is a path inside. */
export const temporaryFolder = () => {
  const kept = make();
  let folder = kept;
  beforeEach(() => {
    folder = make();
  });
  afterEach(() => remove(folder));
  afterAll(() => remove(kept));
  return {
    at: (...parts: string[]) => join(folder, ...parts),
    /** A path that lasts as long as the file's tests. */
    outside: (name: string) => join(kept, name),
  };
};
