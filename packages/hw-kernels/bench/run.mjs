// pnpm bench:kernels [--json] [--node PATH] [--python PATH] [--threads N|all] [--only TEXT] [--seconds N]
import { execFileSync, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createKernels, measureCeilings, probeLine } from "../dist/index.js";
import { cases } from "./cases.mjs";
import { clocks, measure } from "./measure.mjs";
import { numpyMilliseconds } from "./peers.mjs";
import { printRow, printTop } from "./report.mjs";

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    node: { type: "string" },
    python: { type: "string" },
    only: { type: "string", default: "" },
    seconds: { type: "string", default: "2" },
    threads: { type: "string" },
  },
});

/** Runs this file again with other options; ends with its status. */
const again = (node, more) => {
  const kept = ["json", "only", "python", "seconds"].flatMap((name) => {
    const value = options[name];
    return value === true ? [`--${name}`] : value ? [`--${name}`, value] : [];
  });
  return spawnSync(node, [process.argv[1], ...kept, ...more], { stdio: "inherit" }).status ?? 1;
};
const threadOptions = options.threads ? ["--threads", options.threads] : [];
if (options.node) process.exit(again(options.node, threadOptions));
// Each number of threads in a process of its own, as the peers take it once.
if (!options.threads && !options.json)
  process.exit(again(process.execPath, ["--threads", "1"]) || again(process.execPath, ["--threads", "all"]));

const threads = options.threads === "all" ? availableParallelism() : Number(options.threads ?? 1);
// With one thread, time of the processor, which other work on the machine does not stretch.
const clock = threads === 1 ? "processor" : "wall";
const hw = await createKernels({ threads });
const level = hw.probe.relaxed.available ? "relaxed" : "simd";
const ceilings = measureCeilings(level, clocks[clock]);
if (!options.json) printTop(probeLine(hw.probe), threads, clock, ceilings);

const rows = [];
for (const one of cases.filter(({ name }) => name.includes(options.only))) {
  const contestants = { ours: one.ours(hw) };
  for (const [name, make] of Object.entries(one.peers(threads, hw))) contestants[name] = await make();
  const times = await measure(contestants, Number(options.seconds), clock);
  if (one.numpy && options.python && threads === 1) times.numpy = numpyMilliseconds(options.python, one.numpy, threads);
  const speedOf = (ms) => (one.unit === "ms" ? ms : (one.work / ms) * 1000);
  const { ours, ...peers } = Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, speedOf(ms)]));
  const row = { case: one.name, ours, unit: one.unit, peers };
  rows.push(row);
  if (!options.json) printRow(row, one, ceilings, threads, hw.probe.relaxed.available);
}

const FIRST = "first-result";
const FIRST_RUNS = 5;
/** The shortest of some starts, each in a fresh process. */
const firstResult = (name) => {
  const file = fileURLToPath(new URL("first.mjs", import.meta.url));
  const run = () => Number(execFileSync(process.execPath, [file, name, clock], { encoding: "utf8" }));
  return Math.min(...Array.from({ length: FIRST_RUNS }, run));
};
if (FIRST.includes(options.only)) {
  const row = { case: FIRST, ours: firstResult("ours"), unit: "ms", peers: { "ort-web": firstResult("ort-web") } };
  rows.push(row);
  if (!options.json) printRow(row, { bars: {}, unit: "ms" }, ceilings, threads, false);
}

if (options.json) console.log(JSON.stringify({ engine: hw.probe.engine.host, threads, ceilings, rows }, null, 2));
else console.log(`\n${hw.describe()}\n`);
process.exit();
