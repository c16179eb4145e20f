import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { countingOrt } from "../../test/counting-ort.ts";
import { createContext } from "../context.ts";
import type { Feeds, LayerObserver, ValueObserver } from "../pass.ts";
import type { Tensor } from "../tensor.ts";
import { tinyConv, tinyMlp, tinyTransformer } from "../testing/index.ts";
import { observe } from "./observe.ts";

interface Sum {
  count: number;
  sum: number;
}

const sums = (names: readonly string[]): ValueObserver<Sum> => ({
  values: () => names,
  init: () => ({ count: 0, sum: 0 }),
  update(stats, x) {
    stats.count += x.data.length;
    stats.sum += (x.data as Float32Array).reduce((total, value) => total + value, 0);
  },
});

describe("observe", () => {
  it("folds every sample of every value, inputs too, once", async () => {
    const { model, samples } = tinyMlp();
    const ctx = createContext({ ort, calibration: () => samples });
    const stats = await observe(model, sums(["x", "r", "y"]), ctx);
    expect([...stats].map(([name, { count }]) => [name, count])).toEqual([
      ["x", 3 * 4 * 24],
      ["r", 3 * 4 * 48],
      ["y", 3 * 4 * 10],
    ]);
    const total = samples.reduce((sum, { x }) => sum + (x.data as Float32Array).reduce((a, b) => a + b, 0), 0);
    expect(stats.get("x")!.sum).toBeCloseTo(total, 4);
  });

  it("folds the input of each layer, once where two layers share it, and not of layers that init leaves out", async () => {
    const { model, samples } = tinyTransformer();
    const seen: [string, string, readonly number[]][] = [];
    const observer: LayerObserver<string> = {
      init: ({ name }) => (name === "up" ? undefined : name),
      update: (name, { type, dims }) => void seen.push([name, type, dims]),
    };
    const stats = await observe(model, observer, createContext({ ort, calibration: () => samples.slice(0, 1) }));
    expect([...stats.keys()]).toEqual(["e", "q_m", "k_m", "v_m", "o", "down"]);
    expect(seen).toEqual([
      ["e", "int64", [1, 7]],
      ...["q_m", "k_m", "v_m", "o"].map((name) => [name, "float32", [1, 7, 32]]),
      ["down", "float32", [1, 7, 128]],
    ]);
  });

  it("holds no more inner values than fit the memory it is given, and gives the same statistics", async () => {
    const { model, samples } = tinyConv();
    const names = ["c1", "r1", "c2", "r2", "c3", "r3"];
    const { counted, fetched, open } = countingOrt(ort);
    const ctx = createContext({ ort: counted, calibration: () => samples });
    const all = await observe(model, sums(names), ctx);
    // one probe, then three samples with everything at once
    expect(fetched).toEqual([6, 6, 6, 6]);
    fetched.length = 0;
    const bytes = 16 * 12 * 12 * 4;
    const few = await observe(model, sums(names), ctx, { memory: 2 * bytes });
    expect(fetched).toEqual([6, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1]);
    expect(open()).toBe(0);
    for (const [name, { count, sum }] of all) {
      expect(few.get(name)!.count).toBe(count);
      expect(few.get(name)!.sum).toBeCloseTo(sum, 3);
    }
  });

  it("reads the samples one at a time: a sample is not asked for before the last one was folded", async () => {
    const { model, samples } = tinyMlp();
    const log: string[] = [];
    async function* calibration(): AsyncGenerator<Feeds> {
      for (const feeds of samples) {
        log.push("sample");
        yield feeds;
      }
    }
    const observer = { ...sums(["r"]), update: (_: Sum, __: Tensor) => void log.push("fold") };
    await observe(model, observer, createContext({ ort, calibration }));
    expect(log).toEqual(["sample", "sample", "fold", "sample", "fold", "sample", "fold"]);
  });

  it("asks for what is missing, refuses data without samples, and stops when told to", async () => {
    const { model, samples } = tinyMlp();
    const calibration = () => samples;
    const failing = (options: object) => observe(model, sums(["r"]), createContext(options));
    await expect(failing({ ort })).rejects.toMatchObject({ code: "MISSING_NEED" });
    await expect(failing({ calibration })).rejects.toMatchObject({ code: "MISSING_NEED" });
    await expect(failing({ ort, calibration: () => [] })).rejects.toMatchObject({ code: "BAD_DATA" });
    await expect(failing({ ort, calibration, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  });
});
