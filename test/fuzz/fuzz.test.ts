import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { runCase } from "./run-case.ts";

const CASES = 160;
const SEED = 1_000_000;
const MAX_MILLISECONDS = 5_000;
const MICROSECONDS = 1_000;

const folder = mkdtempSync(join(tmpdir(), "espalier-fuzz-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it(`${CASES} damaged models and data files go through every step and the command, or are refused, each in under 5 s of processor time, and leave no file`, async () => {
  let ok = 0;
  let refused = 0;
  for (let index = 0; index < CASES; index++) {
    const begin = process.cpuUsage();
    for (const result of await runCase(SEED, index, join(folder, String(index)))) {
      if (/: (ok|exit 0)$/.test(result)) ok++;
      else refused++;
    }
    const { user, system } = process.cpuUsage(begin);
    expect((user + system) / MICROSECONDS, `case ${index}`).toBeLessThan(MAX_MILLISECONDS);
  }
  expect(ok).toBeGreaterThan(CASES);
  expect(refused).toBeGreaterThan(CASES / 4);
});
