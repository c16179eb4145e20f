// pnpm bench:kernels [--json] [--node PATH] [--only TEXT] [--seconds N] [--threads N]
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { createKernels } from "../dist/index.js";
import { cases } from "./cases.mjs";
import { measure } from "./measure.mjs";

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    node: { type: "string" },
    only: { type: "string", default: "" },
    seconds: { type: "string", default: "2" },
  },
});
if (options.node) {
  const rest = process.argv.slice(2).filter((arg, i, all) => arg !== "--node" && all[i - 1] !== "--node");
  process.exit(spawnSync(options.node, [process.argv[1], ...rest], { stdio: "inherit" }).status ?? 1);
}

const threads = 1;
const hw = await createKernels();
const rows = [];
for (const one of cases.filter(({ name }) => name.includes(options.only))) {
  const contestants = { ours: one.ours(hw) };
  for (const [name, make] of Object.entries(one.peers(threads))) contestants[name] = await make();
  const times = await measure(contestants, Number(options.seconds), "processor");
  const perSecond = Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, one.work / ms / 1e6]));
  const { ours, ...peers } = perSecond;
  rows.push({ case: one.name, ours, unit: one.unit, peers });
  if (!options.json)
    console.log(
      one.name.padEnd(18),
      ours.toFixed(1).padStart(7),
      one.unit,
      ...Object.entries(peers).map(([name, value]) => `${name} ${value.toFixed(1)} (${(ours / value).toFixed(2)}x)`),
    );
}
if (options.json) console.log(JSON.stringify({ engine: hw.probe.engine.host, threads, rows }, null, 2));
else console.log(`${hw.describe()}`);
process.exit();
