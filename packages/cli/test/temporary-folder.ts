import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";

/** A new folder for each test of the file, removed after it; `at("name")` is a path inside. */
export const temporaryFolder = () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "espalier-cli-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  return { at: (...parts: string[]) => join(folder, ...parts) };
};
