import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../workspace.mjs";
import { withDependencies } from "./packages.mjs";

/** What must load: every entry of `exports` that is a module and needs no peer, and the commands in `bin`. */
const entriesOf = ({ name, manifest }) =>
  Object.entries(manifest.exports)
    .filter(([, target]) => typeof target === "object")
    .filter(
      ([path]) => !Object.keys(manifest.peerDependencies ?? {}).some((peer) => peer.includes(path.slice(2) || "\0")),
    )
    .map(([path]) => name + path.slice(1));

/** Installs one packed package with nothing but its own dependencies into an empty project, imports and runs it. */
export const installAlone = (item, all, tarballs, folder) => {
  const project = join(folder, item.name.replace("/", "-"));
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const files = withDependencies(item, all).map(({ name }) => tarballs.get(name));
  const flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--loglevel=error"];
  const installed = run("npm", ["install", ...flags, ...files], { cwd: project, quiet: true });
  if (installed !== 0) return installed;
  const imports = entriesOf(item).map((entry) => `await import(${JSON.stringify(entry)});`);
  const imported = run(process.execPath, ["--input-type=module", "-e", imports.join("\n")], { cwd: project });
  if (imported !== 0) return imported;
  const commands = Object.keys(item.manifest.bin ?? {});
  return commands.reduce(
    (status, command) => status || run("npx", ["--no-install", command, "--help"], { cwd: project, quiet: true }),
    0,
  );
};
