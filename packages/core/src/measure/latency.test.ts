import * as ort from "onnxruntime-node";
import { describe, expect, it, vi } from "vitest";
import { countingOrt } from "../../test/counting-ort.ts";
import type { Feeds, ProgressEvent } from "../pass.ts";
import type { Session } from "../run/session.ts";
import { tinyMlp } from "../testing/index.ts";
import { latencyOf, measureLatency } from "./latency.ts";

/** Sessions whose runs take what `clock` says, on a clock of their own. */
const scripted = (costs: Readonly<Record<string, (run: number) => number>>) => {
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  const log: string[] = [];
  const session = (name: string): Session => {
    let runs = 0;
    return {
      inputs: ["x"],
      outputs: ["y"],
      async run(feeds: Feeds) {
        log.push(`${name}${String(feeds.x)}`);
        now += costs[name](runs++);
        return {};
      },
      release: async () => undefined,
    };
  };
  return { a: session("a"), b: session("b"), log };
};
const feeds = (...names: string[]) => names.map((x) => ({ x }) as unknown as Feeds);

describe("latencyOf", () => {
  it("runs both on the same feed, first one first and then the other, after runs that do not count", async () => {
    const { a, b, log } = scripted({ a: (run) => (run < 2 ? 1000 : 10), b: (run) => (run < 2 ? 900 : 5) });
    const { before, after, ratio } = await latencyOf(a, b, feeds("0", "1", "2"), { warmUp: 2, rounds: 4 });
    vi.restoreAllMocks();
    expect(log.join(" ")).toBe("a0 b0 a1 b1 a0 b0 b1 a1 a2 b2 b0 a0");
    expect(before).toEqual({ median: 10, low: 10, high: 10 });
    expect(after.median).toBe(5);
    expect(ratio).toBe(0.5);
  });

  it("gives the median and the quartiles, which one slow round does not move", async () => {
    const times = [5, 6, 7, 8, 9, 1000, 10, 11, 12];
    const { a, b } = scripted({ a: (run) => (run === 0 ? 8 : times[run - 1]), b: () => 8 });
    const { before } = await latencyOf(a, b, feeds("0"), { warmUp: 1, rounds: times.length });
    vi.restoreAllMocks();
    expect(before).toEqual({ median: 9, low: 7, high: 11 });
  });

  it("repeats runs that are too short for the clock, both equally often", async () => {
    const { a, b, log } = scripted({ a: () => 0.5, b: () => 0.25 });
    const { before, after } = await latencyOf(a, b, feeds("0"), { warmUp: 1, rounds: 2 });
    vi.restoreAllMocks();
    expect(log.filter((run) => run === "a0").length).toBe(1 + 2 * 10);
    expect(log.filter((run) => run === "b0").length).toBe(1 + 2 * 10);
    expect([before.median, after.median]).toEqual([0.5, 0.25]);
  });

  it("asks for feeds, and stops between rounds when told to", async () => {
    const { a, b, log } = scripted({ a: () => 10, b: () => 10 });
    await expect(latencyOf(a, b, [])).rejects.toMatchObject({ code: "BAD_DATA" });
    const stop = new AbortController();
    const progress = (event: ProgressEvent) => {
      if (event.kind === "step" && event.done === 2) stop.abort();
    };
    const options = { warmUp: 1, rounds: 9, signal: stop.signal, progress };
    await expect(latencyOf(a, b, feeds("0"), options)).rejects.toMatchObject({ code: "ABORTED" });
    vi.restoreAllMocks();
    expect(log.length).toBe(2 + 2 * 2);
  });
});

describe("measureLatency", () => {
  it("opens a session on each model, releases both, also where a run fails", async () => {
    const { model, samples } = tinyMlp();
    const { counted, open, opened } = countingOrt(ort);
    const options = { before: model, after: model, ort: counted, rounds: 3 };
    const { before, ratio } = await measureLatency({ ...options, feeds: samples });
    expect(before.low).toBeLessThanOrEqual(before.median);
    expect(before.median).toBeLessThanOrEqual(before.high);
    expect(ratio).toBeGreaterThan(0);
    await expect(measureLatency({ ...options, feeds: [{}] })).rejects.toMatchObject({ code: "BAD_DATA" });
    expect(opened()).toBe(4);
    expect(open()).toBe(0);
  });
});
