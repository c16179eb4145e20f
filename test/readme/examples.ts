import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** A block of TypeScript in a README. */
export interface Example {
  /** Such as "packages/core/README.md, line 12". */
  readonly where: string;
  readonly code: string;
  /** From `<!-- not run: reason -->` before the block. */
  readonly notRun?: string;
}

const FENCE = "```";

const examplesIn = (file: string): Example[] => {
  const lines = readFileSync(join(root, file), "utf8").split("\n");
  const examples: Example[] = [];
  for (let start = 0; start < lines.length; start++) {
    if (lines[start] !== `${FENCE}ts`) continue;
    const end = lines.indexOf(FENCE, start);
    const before = lines.slice(0, start).findLast((line) => line.trim() !== "") ?? "";
    const notRun = /^<!-- not run: (.+) -->$/.exec(before)?.[1];
    const code = lines.slice(start + 1, end).join("\n");
    examples.push({ where: `${file}, line ${start + 1}`, code, ...(notRun && { notRun }) });
    start = end;
  }
  return examples;
};

const packageFolders = () => readdirSync(join(root, "packages")).map((name) => join(root, "packages", name));

/** Every package of the repository: its name and its folder. */
export const packages = (): { readonly name: string; readonly folder: string }[] =>
  packageFolders()
    .filter((folder) => existsSync(join(folder, "package.json")))
    .map((folder) => ({ folder, name: JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).name }));

/** Every example of the README files of the repository and its packages. */
export const examples = (): Example[] =>
  ["README.md", ...packageFolders().map((folder) => relative(root, join(folder, "README.md")))]
    .filter((file) => existsSync(join(root, file)))
    .flatMap(examplesIn);
