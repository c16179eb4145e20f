// pnpm fuzz: damaged files through everything, many more than in npm test. Children run the cases, so that a crash, a
// hang or a blow-up of memory is seen and counted. Environment: FUZZ_RUNS (10,000), FUZZ_SEED (1), FUZZ_START (0).
import { fork } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const RUNS = Number(process.env.FUZZ_RUNS ?? 10_000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
const START = Number(process.env.FUZZ_START ?? 0);
/** Cases of one child: few enough that a child's peak memory says something about a case. */
const CHILD_RUNS = 250;
/** Time of processors that a case may take, so that a busy machine fails nothing. */
const MAX_MILLISECONDS = 5_000;
/** Time after which a child counts as hung. */
const WATCHDOG_MILLISECONDS = 60_000;
const MAX_KILOBYTES = 500_000;

type Message =
  | { kind: "start"; index: number }
  | { kind: "done"; index: number; results: string[]; error?: string; milliseconds: number; kilobytes: number };

const folder = mkdtempSync(join(tmpdir(), "espalier-fuzz-"));
/** Where the children's own temporary files would be. */
const temporary = join(folder, "temporary");
mkdirSync(temporary);
const results = new Map<string, number>();
const failures: string[] = [];
let slowest = 0;
let largest = 0;
let cases = 0;

/** Runs cases until the child ends; resolves to the first case that still has to be run. */
const runChild = (start: number, end: number): Promise<number> =>
  new Promise((resolve) => {
    const args = [SEED, start, end].map(String);
    const child = fork(fileURLToPath(new URL("child.ts", import.meta.url)), [...args, folder], {
      env: { ...process.env, TMPDIR: temporary },
    });
    let running: number | undefined;
    let next = start;
    let why = "crashed";
    let timer: NodeJS.Timeout | undefined;
    child.on("message", (message: Message) => {
      clearTimeout(timer);
      if (message.kind === "start") {
        running = message.index;
        timer = setTimeout(() => {
          why = `hung: no end after ${WATCHDOG_MILLISECONDS} ms`;
          child.kill("SIGKILL");
        }, WATCHDOG_MILLISECONDS);
        return;
      }
      running = undefined;
      next = message.index + 1;
      cases++;
      slowest = Math.max(slowest, message.milliseconds);
      for (const result of message.results) results.set(result, (results.get(result) ?? 0) + 1);
      if (message.milliseconds > MAX_MILLISECONDS) failures.push(`case ${message.index}: ${message.milliseconds} ms`);
      if (message.error !== undefined) failures.push(`case ${message.index}: ${message.error}`);
      if (message.kilobytes > MAX_KILOBYTES && largest <= MAX_KILOBYTES)
        failures.push(`case ${message.index}: ${message.kilobytes} KB of memory`);
      largest = Math.max(largest, message.kilobytes);
    });
    child.on("exit", () => {
      clearTimeout(timer);
      if (running !== undefined) {
        failures.push(`case ${running}: ${why}`);
        next = running + 1;
      } else if (next === start) {
        failures.push(`case ${start}: the child did not start`);
        next = end;
      }
      resolve(next);
    });
  });

const end = START + RUNS;
for (let at = START; at < end; ) {
  at = await runChild(at, Math.min(end, at + CHILD_RUNS));
  console.error(`${at - START} of ${RUNS}, ${failures.length} failures, slowest ${Math.round(slowest)} ms`);
}
const left = [...readdirSync(folder).filter((name) => join(folder, name) !== temporary), ...readdirSync(temporary)];
rmSync(folder, { recursive: true, force: true });
if (left.length > 0) failures.push(`files left: ${left.join(", ")}`);

for (const [result, count] of [...results].sort(([a], [b]) => (a < b ? -1 : 1))) console.log(`${count} × ${result}`);
for (const failure of failures) console.log(failure);
console.log(
  `${cases} cases from seed ${SEED}: ${failures.length} failures, slowest ${Math.round(slowest)} ms, peak ${Math.round(largest / 1000)} MB`,
);
process.exitCode = failures.length > 0 ? 1 : 0;
