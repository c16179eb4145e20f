import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { chain, runPass } from "./chain.ts";
import { definePass } from "./define-pass.ts";
import { edit } from "./edit/edit.ts";
import type { Rng } from "./numeric/rng.ts";
import type { Pass } from "./pass.ts";
import { type Tensor, tensor } from "./tensor.ts";
import { testPass, tinyMlp } from "./testing/index.ts";

/** Doubles w1 and keeps the largest value that it saw of "r" before. */
const doubling = (seen: number[]): Pass<{ largest: number }> =>
  definePass({
    name: "test/doubling",
    stage: "prepare",
    observe: {
      values: () => ["r"],
      init: () => ({ largest: 0 }),
      update: ({ largest }: { largest: number }, x: Tensor) => ({
        largest: Math.max(largest, ...(x.data as Float32Array)),
      }),
    },
    apply: (model, _, stats) => {
      seen.push(stats.get("r")!.largest);
      const [w, b] = ["w1", "b1"].map((name) => model.graph.weights.get(name)!);
      const twice = (t: Tensor) =>
        tensor(
          "float32",
          t.dims,
          (t.data as Float32Array).map((v) => 2 * v),
        );
      return edit(model, ({ graph }) => {
        graph.setWeight("w1", twice(w));
        graph.setWeight("b1", twice(b));
      });
    },
  });

const drawing = (name: string, drawn: number[]): Pass =>
  definePass({
    name,
    stage: "prepare",
    apply: (model, { rng }: { rng: Rng }) => {
      drawn.push(rng.uniform());
      return model;
    },
  });

describe("chain", () => {
  it("calibrates each pass on the model that the last one left", async () => {
    const { model, samples } = tinyMlp();
    const seen: number[] = [];
    await runPass(model, chain([doubling(seen), doubling(seen)]), { ort, calibration: () => samples });
    expect(seen[1] / seen[0]).toBeCloseTo(2, 5);
  });

  it("gives each pass the random numbers of the seed and its own name, wherever it stands", async () => {
    const { model } = tinyMlp();
    const [a, b, other]: number[][] = [[], [], []];
    await runPass(model, chain([drawing("test/a", a), drawing("test/b", b)]), { seed: 5 });
    await runPass(model, chain([drawing("test/b", b), drawing("test/a", a)]), { seed: 5 });
    await runPass(model, drawing("test/a", other), { seed: 6 });
    expect(a[0]).toBe(a[1]);
    expect(b[0]).toBe(b[1]);
    expect(new Set([a[0], b[0], other[0]]).size).toBe(3);
  });

  it("names everything that the first pass needs and the context lacks", async () => {
    const run = runPass(tinyMlp().model, doubling([]));
    await expect(run).rejects.toMatchObject({
      code: "MISSING_NEED",
      message: expect.stringContaining("calibration and ort"),
    });
  });

  it("stops between two passes", async () => {
    const controller = new AbortController();
    const stopping = definePass({
      name: "test/stopping",
      stage: "prepare",
      apply(model) {
        controller.abort();
        return model;
      },
    });
    const drawn: number[] = [];
    const run = runPass(tinyMlp().model, chain([stopping, drawing("test/late", drawn)]), { signal: controller.signal });
    await expect(run).rejects.toMatchObject({ code: "ABORTED" });
    expect(drawn).toEqual([]);
  });
});

describe("definePass", () => {
  const apply: Pass["apply"] = (model) => model;

  it("refuses names without a package and unknown stages", () => {
    expect(() => definePass({ name: "Mine", stage: "quantize", apply })).toThrowError(/package\/method/);
    expect(() => definePass({ name: "a/b", stage: "later" as "encode", apply })).toThrowError(/stage "later"/);
  });

  it("freezes the pass", () => {
    expect(Object.isFrozen(definePass({ name: "@me/espalier-pass-x/y", stage: "encode", apply }))).toBe(true);
  });
});

describe("testPass on a pass that rounds weights to halves", () => {
  const rounding = () =>
    definePass({
      name: "test/rounding",
      stage: "quantize",
      async apply(model, { report }) {
        return edit(model, ({ graph }) => {
          for (const [name, weight] of model.graph.weights) {
            if (weight.type !== "float32") continue;
            graph.setWeight(
              name,
              tensor(
                "float32",
                weight.dims,
                (weight.data as Float32Array).map((v) => Math.fround(v * 2) / 2),
              ),
            );
            report({ pass: "test/rounding", layer: name, action: "changed", form: "halves" });
          }
        });
      },
    });
  testPass(it, rounding, { ort });

  const failures = async (pass: () => Pass) => {
    const failed: string[] = [];
    const runs: Promise<void>[] = [];
    testPass((name, test) => runs.push(test().catch(() => void failed.push(name))), pass, { ort });
    await Promise.all(runs);
    return failed;
  };

  it("fails passes that change their input, depend on the call, ignore the signal, or report nothing", async () => {
    const changing = await failures(() => ({
      name: "test/changing",
      stage: "quantize",
      apply(model, { report }) {
        for (const { type, data } of model.graph.weights.values())
          if (type === "float32") (data as Float32Array)[0] += 1;
        report({ pass: "test/changing", layer: "w", action: "note", reason: "changes" });
        return model;
      },
    }));
    expect(changing.filter((name) => name.includes("leaves its input"))).toHaveLength(4);
    let calls = 0;
    const counting = await failures(() => ({
      ...rounding(),
      apply: (model) => ({ ...model, metadata: new Map([["calls", String(calls++)]]) }),
    }));
    expect(counting.filter((name) => name.includes("same bytes"))).toHaveLength(4);
    expect(counting).toContain("reports every layer that it changes or leaves, with a form or a reason");
    const broken = await failures(() => ({
      ...rounding(),
      apply: (model) => ({ ...model, graph: { ...model.graph, nodes: [] } }),
    }));
    expect(broken.filter((name) => name.includes("loaded and run"))).toHaveLength(4);
  });
});
