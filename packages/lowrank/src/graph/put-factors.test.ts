import { type Model, measureSize, openSession, type ReportEntry, readOnnx, runPass, writeOnnx } from "@espalier/core";
import { expectClose } from "@espalier/core/testing";
import * as node from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { inBranch, type RankTwoCase, rankTwoCases } from "../../test/cases.ts";
import { svd } from "../index.ts";

web.env.wasm.numThreads = 1;
const runtimes = { node, web };

const outputOf = async (ort: typeof node | typeof web, model: Model, { feeds }: RankTwoCase) => {
  const session = await openSession(ort, model);
  try {
    return (await session.run(feeds)).y;
  } finally {
    await session.release();
  }
};

const BOUND = 1e-5;
/** Half floats of ones and their sums round to 2^-11. */
const HALF_BOUND = 2e-3;

describe("factors in place of a weight", () => {
  for (const [name, open] of Object.entries({ ...rankTwoCases, "layers in branches of If": inBranch }))
    it(`${name}: a weight of rank 2 as two layers gives the same output within 1e-5, in node and web, with fewer parameters`, async () => {
      const given = open();
      const entries: ReportEntry[] = [];
      const made = await runPass(given.model, svd({ rank: 2 }), { report: (entry) => entries.push(entry) });
      const written = readOnnx(await writeOnnx(made));
      expect(entries.map(({ action }) => action)).toEqual(new Array(given.factored).fill("changed"));
      expect(measureSize(made).parameters).toBeLessThan(measureSize(given.model).parameters);
      for (const ort of Object.values(runtimes))
        expectClose(
          await outputOf(ort, written, given),
          await outputOf(ort, given.model, given),
          name.includes("float16") ? HALF_BOUND : BOUND,
        );
    });

  it("a weight that a node reads which is no layer, or that is an output, stays whole, with the reason", async () => {
    const { model } = rankTwoCases.MatMul();
    const entries: ReportEntry[] = [];
    const graph = {
      ...model.graph,
      outputs: [...model.graph.outputs, { name: "w", type: { kind: "tensor" as const, type: "float32" as const } }],
    };
    const made = await runPass({ ...model, graph }, svd({ rank: 2 }), { report: (entry) => entries.push(entry) });
    expect(made.graph).toBe(graph);
    expect(entries).toEqual([
      expect.objectContaining({ action: "skipped", reason: expect.stringMatching(/output of the graph/) }),
    ]);
  });

  it("weights that are also inputs of the graph, as before IR version 4, are inputs no more", async () => {
    const { model, feeds } = rankTwoCases.MatMul();
    const info = { name: "w", type: { kind: "tensor" as const, type: "float32" as const, shape: [20, 24] } };
    const old = { ...model, irVersion: 3, graph: { ...model.graph, inputs: [...model.graph.inputs, info] } };
    const made = await runPass(old, svd({ rank: 2 }));
    expect(made.graph.inputs.map(({ name }) => name)).toEqual(["x"]);
    expect([...made.graph.weights.keys()]).toEqual(["w_down", "w_up"]);
    expectClose(
      await outputOf(node, made, { model, feeds, factored: 1 }),
      await outputOf(node, old, { model, feeds, factored: 1 }),
      BOUND,
    );
  });
});
