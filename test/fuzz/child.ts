// Runs the cases [start, end) one by one and reports each: the parent sees which one crashed or hung.
import { join } from "node:path";
import { runCase } from "./run-case.ts";

const [seed, start, end] = process.argv.slice(2, 5).map(Number);
const folder = process.argv[5];
const MICROSECONDS = 1000;

for (let index = start; index < end; index++) {
  process.send?.({ kind: "start", index });
  const begin = process.cpuUsage();
  let results: string[] = [];
  let error: string | undefined;
  try {
    results = await runCase(seed, index, join(folder, String(index)));
  } catch (caught) {
    error = caught instanceof Error ? caught.message : String(caught);
  }
  const { user, system } = process.cpuUsage(begin);
  const milliseconds = (user + system) / MICROSECONDS;
  process.send?.({ kind: "done", index, results, error, milliseconds, kilobytes: process.resourceUsage().maxRSS });
}
process.disconnect?.();
