import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pnpm, root } from "../workspace.mjs";

/** The packages that are published: `{ name, folder, manifest }`. */
export const published = () =>
  readdirSync(join(root, "packages"))
    .map((name) => join(root, "packages", name))
    .filter((folder) => existsSync(join(folder, "package.json")))
    .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) }))
    .filter(({ manifest }) => !manifest.private)
    .map(({ folder, manifest }) => ({ name: manifest.name, folder, manifest }));

/** Packs a package as it would be published and returns the tarball's path, or undefined where packing failed. */
export const pack = ({ name, folder, manifest }, destination) => {
  const file = join(destination, `${name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`);
  const status = pnpm(["--dir", folder, "pack", "--pack-destination", destination], { quiet: true });
  return status === 0 && existsSync(file) ? file : undefined;
};

/** The package and all packages of ours that it needs to run. */
export const withDependencies = (one, all) => {
  const found = new Map();
  const visit = (item) => {
    if (found.has(item.name)) return;
    found.set(item.name, item);
    for (const name of Object.keys(item.manifest.dependencies ?? {})) {
      const other = all.find((candidate) => candidate.name === name);
      if (other) visit(other);
    }
  };
  visit(one);
  return [...found.values()];
};
