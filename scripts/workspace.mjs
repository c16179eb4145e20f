// What the root scripts share: on a machine with Node and npm only they bring pnpm, install and build by themselves.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** turbo looks for pnpm on the path. */
const path = [`${root}node_modules/.bin`, process.env.PATH].join(delimiter);
const silent = { TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1", ORT_DISABLE_TELEMETRY: "1" };
const environment = { ...process.env, ...silent, PATH: path };

/** A command of the root's devDependencies. */
export const bin = (name) => `${root}node_modules/.bin/${name}`;

/** Runs a command and returns its exit status. `quiet` shows its output only when it fails. */
export const run = (command, args, { quiet = false, cwd = root } = {}) => {
  const result = spawnSync(command, args, {
    cwd,
    env: environment,
    stdio: quiet ? ["ignore", "pipe", "pipe"] : ["ignore", "inherit", "inherit"],
    encoding: "utf8",
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  if (result.error) throw result.error;
  if (quiet && result.status !== 0) process.stderr.write(`${result.stdout}${result.stderr}`);
  return result.status ?? 1;
};

const orExit = (status) => {
  if (status !== 0) process.exit(status);
};

const manifest = () => JSON.parse(readFileSync(`${root}package.json`, "utf8"));

const stampFile = `${root}node_modules/.installed`;
const stamp = () =>
  createHash("sha256")
    .update(readFileSync(`${root}pnpm-lock.yaml`))
    .update(process.version)
    .digest("hex");

/** Runs the pnpm that package.json names. */
export const pnpm = (args, options) => run("npx", ["--yes", manifest().packageManager, ...args], options);

/** Installs what the lock file names, by the pnpm that package.json names, unless that is what is there. */
export const install = () => {
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp()) return;
  console.error("installing …");
  orExit(pnpm(["install", "--frozen-lockfile"], { quiet: true }));
  writeFileSync(stampFile, stamp());
};

/** Builds every package, from turbo's cache where nothing changed. */
export const build = () => {
  console.error("building …");
  orExit(run(bin("turbo"), ["run", "build", "--output-logs=errors-only"], { quiet: true }));
};
