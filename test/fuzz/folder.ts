import { readdirSync } from "node:fs";

/** Every path under a folder, one a line. */
export const listing = (folder: string): string => readdirSync(folder, { recursive: true }).sort().join("\n");

/** Throws when a folder does not hold what `before` lists. */
export const expectSame = (folder: string, before: string): void => {
  const after = listing(folder);
  if (after !== before) throw new Error(`files were written: before\n${before}\nafter\n${after}`);
};
