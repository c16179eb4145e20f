import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { createContext } from "../context.ts";
import type { Feeds } from "../pass.ts";
import { gaussian, tinyMlp, tinyTransformer } from "../testing/index.ts";
import { gramObserver, gramOf } from "./gram.ts";
import { normObserver } from "./norms.ts";
import { observe } from "./observe.ts";
import { decodeStats, encodeStats } from "./stats-bytes.ts";

const memoryStore = () => {
  const kept = new Map<string, Uint8Array>();
  return {
    kept,
    get: async (key: string) => kept.get(key),
    set: async (key: string, bytes: Uint8Array) => void kept.set(key, bytes),
  };
};

describe("statistics that are kept", () => {
  it("come back to the last bit without a run, layers that shared them share them again", async () => {
    const { model, samples } = tinyTransformer();
    const stats = memoryStore();
    let runs = 0;
    const counting = {
      ...ort,
      InferenceSession: {
        create(...given: Parameters<typeof ort.InferenceSession.create>) {
          runs++;
          return ort.InferenceSession.create(...given);
        },
      },
    } as unknown as typeof ort;
    const ctx = createContext({ ort: counting, calibration: () => samples, stats });
    const [grams, norms] = [await observe(model, gramObserver(), ctx), await observe(model, normObserver(), ctx)];
    const before = runs;
    const again = await observe(model, gramObserver(), ctx);
    expect(await observe(model, normObserver(), ctx)).toEqual(norms);
    expect(runs).toBe(before);
    expect([...again.keys()]).toEqual([...grams.keys()]);
    for (const [name, gram] of grams) {
      expect(gramOf(again.get(name)!)).toEqual(gramOf(gram));
      expect([again.get(name)!.n, again.get(name)!.sums]).toEqual([gram.n, gram.sums]);
    }
    const shared = [...grams.values()].map((one, _, all) => all.indexOf(one));
    expect([...again.values()].map((one, _, all) => all.indexOf(one))).toEqual(shared);
    expect(new Set(shared).size).toBeLessThan(shared.length);
  });

  it("are not taken for another model, other data, another choice of layers, or of another kind", async () => {
    const { model, samples } = tinyMlp();
    const stats = memoryStore();
    const contextOf = (data: readonly Feeds[]) => createContext({ ort, calibration: () => data, stats });
    const other = tinyMlp().model;
    const w1 = other.graph.weights.get("w1")!;
    const changed = {
      ...other,
      graph: { ...other.graph, weights: new Map([...other.graph.weights, ["w1", gaussian(w1.dims, 99)]]) },
    };
    await observe(model, gramObserver(), contextOf(samples));
    await observe(changed, gramObserver(), contextOf(samples));
    await observe(model, gramObserver(), contextOf([...samples, { x: gaussian([4, 24], 77) }]));
    await observe(model, gramObserver({ only: ({ weight }) => weight.name === "w1" }), contextOf(samples));
    await observe(model, normObserver(), contextOf(samples));
    expect(stats.kept.size).toBe(5);
    await observe(model, gramObserver(), contextOf(samples));
    expect(stats.kept.size).toBe(5);
  });

  it("are computed anew where the store gives bytes that are none", async () => {
    expect(decodeStats(new Uint8Array([1, 2, 3]))).toBeUndefined();
    const bytes = encodeStats(new Map([["a", { n: 3, x: Float64Array.of(1, 2) }]]));
    expect(decodeStats(bytes)).toEqual(new Map([["a", { n: 3, x: Float64Array.of(1, 2) }]]));
    expect(decodeStats(bytes.subarray(0, bytes.length - 8))).toBeUndefined();
  });
});
