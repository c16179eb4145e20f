import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStatsFile } from "./stats-file.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "espalier-stats-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("openStatsFile", () => {
  it("gives back what was put in, the newest of a key, in this run and the next", async () => {
    const path = join(folder, "a.stats");
    const first = openStatsFile(path);
    await first.set("one", Uint8Array.of(1, 2, 3));
    await first.set("two", new Uint8Array(0));
    await first.set("one", Uint8Array.of(4));
    expect(await first.get("one")).toEqual(Uint8Array.of(4));
    first.close();
    const second = openStatsFile(path);
    expect(await second.get("one")).toEqual(Uint8Array.of(4));
    expect(await second.get("two")).toEqual(new Uint8Array(0));
    expect(await second.get("three")).toBeUndefined();
    second.close();
  });

  it("drops an entry that was cut off, and keeps those before it", async () => {
    const path = join(folder, "b.stats");
    const first = openStatsFile(path);
    await first.set("whole", Uint8Array.of(7));
    first.close();
    const { size } = statSync(path);
    appendFileSync(path, new Uint8Array([0, 0, 0, 0, 0, 0, 0x24, 0x40, 1, 2, 3]));
    const second = openStatsFile(path);
    expect(await second.get("whole")).toEqual(Uint8Array.of(7));
    second.close();
    expect(statSync(path).size).toBe(size);
  });

  it("refuses a file that is something else with IO, and leaves it alone", () => {
    const path = join(folder, "c.stats");
    writeFileSync(path, "notes");
    expect(() => openStatsFile(path)).toThrowError(expect.objectContaining({ code: "IO" }));
    expect(statSync(path).size).toBe(5);
  });
});
