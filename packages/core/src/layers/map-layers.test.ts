import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { createContext } from "../context.ts";
import { definePass } from "../define-pass.ts";
import type { ReportEntry } from "../pass.ts";
import { testPass, tinyMlp, tinyTransformer } from "../testing/index.ts";
import { layers } from "./find-layers.ts";
import { mapLayers } from "./map-layers.ts";

describe("mapLayers", () => {
  it("writes what it is given, [out, in], in the layout of the file, and leaves the other weights as they are", async () => {
    const { model } = tinyMlp();
    const made = await mapLayers(model, ({ name }, w) => (name === "m" ? w.map((_, i) => i) : undefined));
    expect(made.graph.weights.get("w2")).toBe(model.graph.weights.get("w2"));
    const w1 = made.graph.weights.get("w1")!;
    expect(w1.dims).toEqual([24, 48]);
    // element [in 3, out 5] of the file is element [out 5, in 3] of the layer
    expect(w1.data[3 * 48 + 5]).toBe(5 * 24 + 3);
    expect(await layers(made)[0].weight.read()).toEqual(Float32Array.from({ length: 24 * 48 }, (_, i) => i));
  });

  it("gives copies: a weight that is changed in place and not returned stays as it was", async () => {
    const { model } = tinyMlp();
    const before = (model.graph.weights.get("w2")!.data as Float32Array).slice();
    const made = await mapLayers(model, (_, w) => {
      w.fill(0);
      return undefined;
    });
    expect(made).toBe(model);
    expect(model.graph.weights.get("w2")!.data).toEqual(before);
  });

  it("reports each layer, and why those are left alone that skip and only leave", async () => {
    const entries: ReportEntry[] = [];
    const context = createContext({ report: (entry) => entries.push(entry) });
    await mapLayers(tinyTransformer().model, (_, w) => w, {
      skip: ["e", "*_m"],
      only: "MatMul",
      form: "same",
      context,
    });
    expect(entries.map(({ layer, action, form, reason }) => [layer, action, form ?? reason])).toEqual([
      ["e", "skipped", "named by skip"],
      ...["q_m", "k_m", "v_m"].map((name) => [name, "skipped", "named by skip"]),
      ...["o", "up", "down"].map((name) => [name, "changed", "same"]),
    ]);
  });

  it("stops between layers when the signal is raised", async () => {
    const controller = new AbortController();
    const context = createContext({ signal: controller.signal });
    let calls = 0;
    const run = mapLayers(
      tinyTransformer().model,
      (_, w) => {
        if (++calls === 2) controller.abort();
        return w;
      },
      { context },
    );
    await expect(run).rejects.toMatchObject({ code: "ABORTED" });
    expect(calls).toBe(2);
  });

  describe("in a pass", () => {
    const halving = () =>
      definePass({
        name: "test/halving",
        stage: "prepare",
        apply: (model, context) =>
          mapLayers(model, (_, w) => w.map((v) => v / 2), { pass: "test/halving", form: "halved", context }),
      });
    testPass(it, halving, { ort });
  });
});
